use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;

/// A program that is an ELF file, and prints its version: the one that sleeps is everywhere.
fn program(directory: &Path) -> PathBuf {
    let sleep = which::which("sleep").unwrap();
    let copy = directory.join("sleep");
    fs::copy(sleep, &copy).unwrap();
    copy
}

fn runtime() -> TempDir {
    TempDir::new().unwrap()
}

fn file(runtime: &TempDir) -> PathBuf {
    runtime.path().join(DIRECTORY).join(FILE)
}

fn text(path: &Path, text: &str) {
    let mut file = File::create(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Makes what is remembered of a program something that it never prints.
fn forge(runtime: &TempDir) {
    let mut known = read(&runtime.path().join(DIRECTORY)).unwrap();
    for known in known.values_mut() {
        known.printed = "forged 1.2.3".to_owned();
    }
    write(&runtime.path().join(DIRECTORY), &known).unwrap();
}

/// With libraries that do not change, wherever the test runs and its programs are.
fn versions(runtime: &Path) -> Versions {
    Versions {
        system: "/".into(),
        ..Versions::with(runtime, Identity::of("/".as_ref()))
    }
}

#[tokio::test]
async fn a_program_that_may_have_libraries_of_its_own_is_asked_each_time() {
    let runtime = runtime();
    let own = program(runtime.path());
    let honest = asked(&runtime, &own).await;
    forge(&runtime);
    assert_eq!(asked(&runtime, &own).await, "forged 1.2.3");
    let versions = Versions::with(runtime.path(), Identity::of("/".as_ref()));
    assert_eq!(versions.of(&own).await.unwrap(), honest);
}

async fn asked(runtime: &TempDir, program: &Path) -> String {
    versions(runtime.path()).of(program).await.unwrap()
}

#[tokio::test]
async fn a_program_is_asked_once_until_it_is_another_file() {
    let runtime = runtime();
    let first = program(runtime.path());
    let honest = asked(&runtime, &first).await;
    assert!(honest.contains("sleep"), "{honest}");
    let private = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(private(&file(&runtime)), 0o600);
    assert_eq!(private(file(&runtime).parent().unwrap()), 0o700);
    forge(&runtime);
    assert_eq!(asked(&runtime, &first).await, "forged 1.2.3");
    // Of another path, of other bytes, of another file in its place.
    let link = runtime.path().join("link");
    symlink(&first, &link).unwrap();
    assert!(asked(&runtime, &link).await.contains("sleep"));
    forge(&runtime);
    let mut grown = File::options().append(true).open(&first).unwrap();
    grown.write_all(b"\0").unwrap();
    drop(grown);
    assert_eq!(asked(&runtime, &first).await, honest);
    forge(&runtime);
    let new = runtime.path().join("new");
    fs::copy(&first, &new).unwrap();
    fs::rename(new, &first).unwrap();
    assert_eq!(asked(&runtime, &first).await, honest);
}

#[tokio::test]
async fn new_libraries_make_another_program() {
    let runtime = runtime();
    let program = program(runtime.path());
    let honest = asked(&runtime, &program).await;
    let mut known = read(&runtime.path().join(DIRECTORY)).unwrap();
    for known in known.values_mut() {
        known.printed = "forged 1.2.3".to_owned();
        known.libraries.inode += 1;
    }
    write(&runtime.path().join(DIRECTORY), &known).unwrap();
    assert_eq!(asked(&runtime, &program).await, honest);
}

#[tokio::test]
async fn what_a_script_prints_is_not_remembered() {
    let runtime = runtime();
    let script = runtime.path().join("script");
    text(&script, "#!/bin/sh\necho script 7.8\n");
    fs::set_permissions(&script, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(asked(&runtime, &script).await, "script 7.8\n");
    assert!(!file(&runtime).exists());
}

#[tokio::test]
async fn nonsense_is_ignored_and_replaced() {
    let runtime = runtime();
    let program = program(runtime.path());
    let honest = asked(&runtime, &program).await;
    let long = format!("{{{}}}", " ".repeat(1 << 20));
    for nonsense in ["", "{", "[]", "{\"/x\":7}", "\u{0}\u{1b}[2J", &long] {
        text(&file(&runtime), nonsense);
        assert_eq!(asked(&runtime, &program).await, honest, "{nonsense:.20}");
        forge(&runtime);
        assert_eq!(asked(&runtime, &program).await, "forged 1.2.3");
    }
}

#[tokio::test]
async fn what_others_could_have_written_is_not_read() {
    let runtime = runtime();
    let program = program(runtime.path());
    let honest = asked(&runtime, &program).await;
    forge(&runtime);
    let directory = file(&runtime).parent().unwrap().to_owned();
    for (path, open, closed) in [(&file(&runtime), 0o620, 0o600), (&directory, 0o770, 0o700)] {
        fs::set_permissions(path, Permissions::from_mode(open)).unwrap();
        assert!(read(&directory).is_none());
        fs::set_permissions(path, Permissions::from_mode(closed)).unwrap();
    }
    // Neither followed nor written through.
    let elsewhere = runtime.path().join("elsewhere");
    fs::rename(&directory, &elsewhere).unwrap();
    symlink(&elsewhere, &directory).unwrap();
    assert_eq!(asked(&runtime, &program).await, honest);
    assert!(
        read(&elsewhere).unwrap()[&program]
            .printed
            .contains("forged")
    );
}

#[tokio::test]
async fn without_a_runtime_directory_programs_are_asked() {
    let directory = runtime();
    let program = program(directory.path());
    let missing = directory.path().join("missing");
    for runtime in [missing.as_path(), Path::new("/proc"), &program] {
        let printed = versions(runtime).of(&program).await;
        assert!(printed.unwrap().contains("sleep"), "{}", runtime.display());
    }
    assert!(!missing.exists());
}

#[tokio::test]
async fn where_nobody_tells_of_libraries_programs_are_asked_each_time() {
    let runtime = runtime();
    let program = program(runtime.path());
    let versions = Versions::with(runtime.path(), None);
    assert!(versions.of(&program).await.unwrap().contains("sleep"));
    assert!(!file(&runtime).exists());
    asked(&runtime, &program).await;
    forge(&runtime);
    let versions = Versions::with(runtime.path(), None);
    assert!(versions.of(&program).await.unwrap().contains("sleep"));
}

#[test]
fn more_programs_than_anybody_has_are_forgotten() {
    let runtime = runtime();
    let versions = versions(runtime.path());
    let libraries = versions.libraries.clone().unwrap();
    for number in 0..3 * MOST_PROGRAMS {
        let printed = Printed {
            program: libraries.clone(),
            libraries: libraries.clone(),
            printed: "x".repeat(4096),
        };
        versions.remember(Path::new(&format!("/program/{number}")), printed);
    }
    let known = read(&runtime.path().join(DIRECTORY)).unwrap();
    assert!(known.len() <= MOST_PROGRAMS);
}
