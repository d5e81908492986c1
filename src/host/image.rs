//! A container of our own without a registry: the program packs itself into a one-layer image.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    CreateContainerOptions, CreateImageOptionsBuilder, ListContainersOptionsBuilder,
    ListImagesOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveImageOptions, StartContainerOptions, WaitContainerOptions,
};
use futures_util::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use crate::error::{Doing, Result};
use crate::vantage::{self, Answer, Request};

/// The image's repository; the tag says which build of the program is inside.
const REPOSITORY: &str = "rootless6-probe";

/// Label of every container and image that a run makes; its value on containers is the run.
const LABEL: &str = "rootless6.run";

/// A probe needs little; the limits hold where the Engine has cgroup controllers.
const MEMORY_BYTES: i64 = 64 << 20;
const PIDS: i64 = 64;

/// The longest output of a container that is read, in bytes.
const LONGEST_OUTPUT: usize = 1 << 20;

/// Whose containers to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// Those of runs that were killed.
    OfTheDead,
    /// Those, and this run's own: it was interrupted.
    OwnToo,
}

/// Removes containers that runs have left behind, but none of another living one.
pub async fn sweep(docker: &Docker, whose: Leftovers) {
    let filters = HashMap::from([("label", vec![LABEL])]);
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    for container in docker
        .list_containers(Some(options))
        .await
        .unwrap_or_default()
    {
        let run = container
            .labels
            .as_ref()
            .and_then(|labels| labels.get(LABEL));
        let alive = run.is_some_and(|run| Path::new("/proc").join(run).exists());
        let own = whose == Leftovers::OwnToo
            && run.is_some_and(|run| *run == std::process::id().to_string());
        if let Some(id) = container.id.filter(|_| own || !alive) {
            remove_container(docker, &id).await;
        }
    }
}

/// Removes every image of ours.
pub async fn remove_images(docker: &Docker) {
    remove_images_but(docker, None).await;
}

async fn remove_images_but(docker: &Docker, keep: Option<&str>) {
    let filters = HashMap::from([("reference", vec![REPOSITORY])]);
    let options = ListImagesOptionsBuilder::new().filters(&filters).build();
    let images = docker.list_images(Some(options)).await.unwrap_or_default();
    for tag in images.into_iter().flat_map(|image| image.repo_tags) {
        if Some(tag.as_str()) != keep {
            // What is in use stays; the next run tries again.
            let _ = docker
                .remove_image(&tag, None::<RemoveImageOptions>, None)
                .await;
        }
    }
}

/// Runs a request in a new container on a network and returns its answer.
///
/// # Errors
/// When the Engine cannot make or run the container, or the answer says that the task failed.
pub async fn ask(docker: &Docker, network: &str, request: &Request) -> Result<Answer> {
    let packed = Packed::own()?;
    let image = import(docker, &packed).await?;
    let doing = || format!("run a container on the network {network}");
    let json = serde_json::to_string(request).doing(doing)?;
    let mut command = packed.command();
    command.extend([vantage::COMMAND.to_owned(), json]);
    let body = container(&image, command, network);
    let made = docker
        .create_container(None::<CreateContainerOptions>, body)
        .await
        .doing(doing)?;
    let output = run(docker, &made.id).await;
    remove_container(docker, &made.id).await;
    vantage::read_answer(&output.doing(doing)?)
}

fn container(image: &str, command: Vec<String>, network: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(command),
        labels: Some(HashMap::from([(
            LABEL.to_owned(),
            std::process::id().to_string(),
        )])),
        host_config: Some(HostConfig {
            network_mode: Some(network.to_owned()),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(vec!["NET_RAW".to_owned()]),
            readonly_rootfs: Some(true),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            memory: Some(MEMORY_BYTES),
            pids_limit: Some(PIDS),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: None,
            }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

async fn run(docker: &Docker, id: &str) -> std::result::Result<Vec<u8>, bollard::errors::Error> {
    docker
        .start_container(id, None::<StartContainerOptions>)
        .await?;
    // A status other than 0 is told in the output; only the end matters here.
    let _ = docker
        .wait_container(id, None::<WaitContainerOptions>)
        .next()
        .await;
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).build();
    let mut logs = docker.logs(id, Some(options));
    let mut output = Vec::new();
    while let Some(chunk) = logs.try_next().await? {
        output.extend_from_slice(&chunk.into_bytes());
        if output.len() > LONGEST_OUTPUT {
            break;
        }
    }
    Ok(output)
}

async fn remove_container(docker: &Docker, id: &str) {
    let options = RemoveContainerOptionsBuilder::new()
        .force(true)
        .v(true)
        .build();
    // The next run sweeps what could not be removed now.
    let _ = docker.remove_container(id, Some(options)).await;
}

async fn import(docker: &Docker, packed: &Packed) -> Result<String> {
    let image = format!("{REPOSITORY}:{}", packed.tag);
    if docker.inspect_image(&image).await.is_ok() {
        return Ok(image);
    }
    let doing = || "import the probe image";
    tracing::info!("{} as {image}", doing());
    let mut options = CreateImageOptionsBuilder::new()
        .from_src("-")
        .repo(REPOSITORY)
        .tag(&packed.tag)
        .build();
    options.changes = vec![format!("LABEL {LABEL}=image")];
    let body = bollard::body_full(packed.tar()?.into());
    let progress: std::result::Result<Vec<_>, _> = docker
        .create_image(Some(options), Some(body), None)
        .try_collect()
        .await;
    progress.doing(doing)?;
    remove_images_but(docker, Some(&image)).await;
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
