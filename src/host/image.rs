//! An image of our own without a registry: the program packs itself into one layer.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::models::ImageSummary;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions,
};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::run_id::RunId;
use crate::error::{Doing, Error, Exit, Result};

/// The image's repository; the tag says which build of the program is inside.
const REPOSITORY: &str = "rootless6-probe";

/// Label of every image of ours; its value is the run that made it.
const LABEL: &str = "rootless6.image";

const DOING: &str = "import the probe image";

/// The Engine answers only after it has written all files to a disk that may be slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// The image of this build.
#[derive(Debug, Clone)]
pub struct Image {
    /// Repository and tag.
    pub name: String,
    /// How the program is started in a container of it, without arguments.
    pub program: Vec<String>,
}

/// Removes every image of ours; an Engine that hangs is left alone.
pub async fn remove_images(docker: &Docker) {
    let removing = async {
        remove_images_but(docker, None).await;
        remove_nameless(docker).await;
    };
    let _ = timeout(PATIENCE, removing).await;
}

/// Removes images of ours without a name: of two runs that import at once, one takes the other's.
pub async fn remove_nameless(docker: &Docker) {
    let filters = HashMap::from([("label", vec![LABEL]), ("dangling", vec!["true"])]);
    for image in list(docker, &filters).await {
        remove(docker, &image.id).await;
    }
}

async fn remove_images_but(docker: &Docker, keep: Option<&str>) {
    let filters = HashMap::from([("reference", vec![REPOSITORY])]);
    let images = list(docker, &filters).await;
    for tag in images.iter().flat_map(|image| &image.repo_tags) {
        if Some(tag.as_str()) != keep {
            remove(docker, tag).await;
        }
    }
}

async fn list(docker: &Docker, filters: &HashMap<&str, Vec<&str>>) -> Vec<ImageSummary> {
    let options = ListImagesOptionsBuilder::new().filters(filters).build();
    docker.list_images(Some(options)).await.unwrap_or_default()
}

/// What is in use stays; the next run tries again.
async fn remove(docker: &Docker, image: &str) {
    let _ = docker
        .remove_image(image, None::<RemoveImageOptions>, None)
        .await;
}

/// Imports the image of this build, if the Engine has not got it.
///
/// # Errors
/// When the program's own files cannot be read, or the Engine does not take the image in a minute.
pub async fn import(docker: &Docker) -> Result<Image> {
    match timeout(PATIENCE, import_if_missing(docker)).await {
        Ok(image) => image,
        Err(_) => Err(Error::cannot(Exit::Bad, DOING)
            .caused_by(format!("no whole answer within {} s", PATIENCE.as_secs()))
            .hint("see `systemctl --user status docker.service`")),
    }
}

async fn import_if_missing(docker: &Docker) -> Result<Image> {
    let packed = Packed::own()?;
    let image = Image {
        name: format!("{REPOSITORY}:{}", packed.tag),
        program: packed.command(),
    };
    if docker.inspect_image(&image.name).await.is_ok() {
        return Ok(image);
    }
    tracing::info!("{DOING} as {}", image.name);
    let mut options = CreateImageOptionsBuilder::new()
        .from_src("-")
        .repo(REPOSITORY)
        .tag(&packed.tag)
        .build();
    options.changes = vec![format!("LABEL {LABEL}={}", RunId::own())];
    let body = bollard::body_full(packed.tar()?.into());
    let patient = docker.clone().with_timeout(PATIENCE);
    let progress: std::result::Result<Vec<_>, _> = patient
        .create_image(Some(options), Some(body), None)
        .try_collect()
        .await;
    progress.doing(|| DOING)?;
    remove_images_but(docker, Some(&image.name)).await;
    Ok(image)
}

/// This program's file and the shared objects that it has mapped.
struct Packed {
    program: PathBuf,
    /// By the name under which the loader looks for each.
    libraries: BTreeMap<String, PathBuf>,
    loader: Option<PathBuf>,
    tag: String,
}

impl Packed {
    fn own() -> Result<Self> {
        let program = PathBuf::from("/proc/self/exe");
        let doing = || "look at this program's own file";
        let metadata = fs::metadata(&program).doing(doing)?;
        let identity = format!(
            "{} {} {} {}",
            metadata.dev(),
            metadata.ino(),
            metadata.size(),
            metadata.mtime_nsec().wrapping_add(metadata.mtime())
        );
        let maps = fs::read_to_string("/proc/self/maps").doing(doing)?;
        let (loaders, libraries): (Vec<_>, Vec<_>) = mapped_objects(&maps)
            .into_iter()
            .partition(|path| file_name(path).starts_with("ld"));
        Ok(Self {
            program,
            libraries: libraries.into_iter().flat_map(names_of).collect(),
            loader: loaders.into_iter().next(),
            tag: hex(&Sha256::digest(identity))[..16].to_owned(),
        })
    }

    /// The loader is named explicitly: where it would search by itself differs between systems.
    fn command(&self) -> Vec<String> {
        let command: &[&str] = if self.loader.is_some() {
            &["/loader", "--library-path", "/lib", "/rootless6"]
        } else {
            &["/rootless6"]
        };
        command.iter().map(|&word| word.to_owned()).collect()
    }

    fn tar(&self) -> Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        append(&mut tar, "rootless6", &self.program)?;
        append_directory(&mut tar, "lib/")?;
        for (name, path) in &self.libraries {
            append(&mut tar, &format!("lib/{name}"), path)?;
        }
        if let Some(loader) = &self.loader {
            append(&mut tar, "loader", loader)?;
        }
        tar.into_inner().doing(|| "pack the probe image")
    }
}

/// Engine 20.10 makes a directory that the archive does not name unreadable to a process without
/// capabilities.
fn append_directory(tar: &mut tar::Builder<Vec<u8>>, name: &str) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(0o755);
    tar.append_data(&mut header, name, std::io::empty())
        .doing(|| format!("pack {name} into the probe image"))
}

fn append(tar: &mut tar::Builder<Vec<u8>>, name: &str, path: &Path) -> Result<()> {
    let doing = || format!("pack {} into the probe image", path.display());
    let bytes = fs::read(path).doing(doing)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o755);
    tar.append_data(&mut header, name, bytes.as_slice())
        .doing(doing)
}

/// Files with a name like `libc.so.6` in proc_pid_maps(5), each once.
fn mapped_objects(maps: &str) -> Vec<PathBuf> {
    let mut objects: Vec<PathBuf> = maps
        .lines()
        .filter_map(|line| line.find('/').map(|start| PathBuf::from(&line[start..])))
        .filter(|path| file_name(path).contains(".so"))
        .collect();
    objects.sort();
    objects.dedup();
    objects
}

/// A shared object under its own name and under those of the links beside it: the loader asks for
/// `libc.so.6`, the file may be `libc-2.31.so`.
fn names_of(path: PathBuf) -> Vec<(String, PathBuf)> {
    let links = path
        .parent()
        .and_then(|directory| fs::read_dir(directory).ok());
    let mut names: Vec<_> = links
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()))
        .filter(|entry| fs::canonicalize(entry.path()).is_ok_and(|target| target == path))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.push(file_name(&path).to_owned());
    names.into_iter().map(|name| (name, path.clone())).collect()
}

fn file_name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::engine::scripted::{Reply, engine};

    /// Has no image yet, and takes one after so many seconds.
    fn that_imports_after(seconds: u64, length: usize) -> impl Fn(&str) -> Reply + Copy {
        move |request: &str| match request {
            _ if request.starts_with("POST /images/create") => Reply {
                after: Duration::from_secs(seconds),
                length,
                ..Reply::new(200, "{}")
            },
            _ if request.starts_with("GET /images/json") => Reply::new(200, "[]"),
            _ => Reply::new(404, "{}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_with_a_slow_disk_is_waited_for() {
        let (_directory, docker) = engine(that_imports_after(40, 2));
        assert!(import(&docker).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_never_tells_its_images_keeps_them() {
        let (_directory, docker) = engine(|_| Reply {
            length: 3,
            ..Reply::new(200, "[]")
        });
        remove_images(&docker).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_stops_in_its_answer_or_before_is_not() {
        for (seconds, length) in [(0, 3), (1000, 2)] {
            let (_directory, docker) = engine(that_imports_after(seconds, length));
            let error = import(&docker).await.unwrap_err().to_string();
            assert!(error.contains("import the probe image"), "{error}");
        }
    }
}
