#![expect(clippy::disallowed_methods, reason = "a test may write files plainly")]

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::apply::journal::Was;
use crate::apply::journal::tests::Home;
use crate::plan::FileChange;

const UNIT: &str = "docker.service";

fn versions(rootlesskit: &str) -> Versions {
    Versions {
        rootlesskit: Some(rootlesskit.to_owned()),
        ..Versions::default()
    }
}

fn made_for(rootlesskit: &str) -> MadeFor {
    MadeFor {
        request: Some(Request::default()),
        versions: versions(rootlesskit),
        seen_again: None,
    }
}

/// A generation in this state that has written these files, each with its own number in it.
fn generation(home: &Home, unit: &str, state: State, names: &[&str]) -> Entry {
    let journal = home.journal();
    let mut entry = journal.begin(unit, Was::Answering).unwrap();
    entry.made_for = Some(made_for(&format!("{}.0.0", entry.generation)));
    for name in names {
        let path = config(home, name);
        let change = FileChange {
            before: fs::read_to_string(&path).ok(),
            path,
            target: None,
            after: entry.generation.to_string(),
        };
        entry.write(&journal, &change).unwrap();
    }
    entry.mark(&journal, state).unwrap();
    entry
}

fn config(home: &Home, name: &str) -> PathBuf {
    home.host().config.join(name)
}

fn entry_file(home: &Home, generation: u32) -> PathBuf {
    let name = format!("rootless6/{generation:04}.json");
    home.host().state.join(name)
}

#[test]
fn only_what_stands_is_relied_on_and_nothing_is_said_while_it_is_at_work() {
    for (unit, state, names, expected) in [
        (UNIT, State::Applied, &["a"][..], Ok(true)),
        (UNIT, State::Written, &["a"], Ok(true)),
        (UNIT, State::Unconfirmed, &["a"], Ok(true)),
        (UNIT, State::Undone, &["a"], Ok(false)),
        (UNIT, State::Partly, &["a"], Ok(false)),
        (UNIT, State::Applied, &[], Ok(false)),
        ("other.service", State::Applied, &["a"], Ok(false)),
        (UNIT, State::Begun, &["a"], Err("generation 1 is being")),
        (UNIT, State::Undoing, &["a"], Err("generation 1 is being")),
        ("other.service", State::Begun, &["a"], Ok(false)),
    ] {
        let home = Home::new();
        generation(&home, unit, state, names);
        let context = format!("{unit} {state:?} {names:?}");
        match (relied_on(&home.host()), expected) {
            (Ok(seen), Ok(is)) => assert_eq!(seen.is_some(), is, "{context}"),
            (Err(error), Err(words)) => {
                assert!(error.to_string().contains(words), "{context}: {error}");
            }
            (other, _) => panic!("{context}: {other:?}"),
        }
    }
    assert_eq!(relied_on(&Home::new().host()).unwrap(), None);
}

#[test]
fn the_newest_generation_says_what_for_and_each_file_is_as_the_last_one_left_it() {
    let home = Home::new();
    generation(&home, UNIT, State::Applied, &["a", "b"]);
    generation(&home, UNIT, State::Undone, &["c"]);
    generation(&home, UNIT, State::Applied, &["b"]);
    // A mere restart leaves nothing.
    generation(&home, UNIT, State::Applied, &[]);
    let seen = relied_on(&home.host()).unwrap().unwrap();
    assert_eq!(seen.generation, 3);
    assert_eq!(seen.request, Some(Request::default()));
    assert_eq!(seen.versions, versions("3.0.0"));
    let text = |name| seen.written(&config(&home, name));
    assert_eq!(text("a"), Some("1"));
    assert_eq!(text("b"), Some("3"));
    assert_eq!(text("c"), None);
    assert_eq!(seen.files.len(), 2);
}

#[test]
fn an_entry_that_cannot_be_read_matters_where_it_is_the_newest() {
    for (damaged, expected) in [(2, None), (1, Some(1))] {
        let home = Home::new();
        generation(&home, UNIT, State::Applied, &["a"]);
        generation(&home, UNIT, State::Applied, &["b"]);
        fs::write(entry_file(&home, damaged), "{").unwrap();
        let seen = relied_on(&home.host()).ok().flatten();
        assert_eq!(seen.map(|seen| seen.files.len()), expected, "{damaged}");
    }
}

#[test]
fn what_a_newer_rootless6_has_asked_for_is_none_and_stands_in_no_undos_way() {
    let home = Home::new();
    generation(&home, UNIT, State::Applied, &["a"]);
    let path = entry_file(&home, 1);
    for (asked, request, recorded) in [
        (
            r#"{"request": {}, "versions": {"rootlesskit": "1.0.0"}}"#,
            true,
            true,
        ),
        (
            r#"{"request": {"color": "red"}, "versions": {"rootlesskit": "1.0.0"}}"#,
            false,
            true,
        ),
        (
            r#"{"request": 7, "versions": {"rootlesskit": "1.0.0", "moon": "full"}}"#,
            false,
            true,
        ),
        (
            r#"{"request": {}, "versions": {"rootlesskit": 1}}"#,
            true,
            false,
        ),
        (r#"{"versions": []}"#, false, false),
        ("7", false, false),
        ("null", false, false),
    ] {
        let mut entry: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        entry["made_for"] = serde_json::from_str(asked).unwrap();
        fs::write(&path, entry.to_string()).unwrap();
        let seen = relied_on(&home.host()).unwrap().unwrap();
        assert_eq!(seen.request.is_some(), request, "{asked}");
        assert_eq!(seen.versions.rootlesskit.is_some(), recorded, "{asked}");
        assert_eq!(seen.written(&config(&home, "a")), Some("1"), "{asked}");
    }
    let entry = home.journal().standing().unwrap().unwrap();
    assert_eq!(entry.restore().restored, [config(&home, "a")]);
}

#[test]
fn what_is_seen_again_is_written_where_it_is_news_and_nowhere_else() {
    let asked = Request {
        mtu: Some(crate::request::Mtu::Bytes(1400)),
        ..Request::default()
    };
    for (unit, request, rootlesskit, is_news) in [
        (UNIT, Request::default(), "1.0.0", false),
        (UNIT, Request::default(), "2.0.0", true),
        (UNIT, asked, "1.0.0", true),
        ("other.service", Request::default(), "2.0.0", false),
    ] {
        let home = Home::new();
        let before = generation(&home, UNIT, State::Applied, &["a"]);
        generation(&home, UNIT, State::Applied, &[]);
        let newest = fs::read(entry_file(&home, 2)).unwrap();
        let journal = home.journal();
        journal
            .see_again(unit, &request, versions(rootlesskit))
            .unwrap();
        let after = journal.entries().unwrap().remove(0);
        let context = format!("{unit} {request:?} {rootlesskit}");
        let made_for = after.made_for.clone().unwrap();
        assert_eq!(made_for.seen_again.is_some(), is_news, "{context}");
        if is_news {
            assert_eq!(made_for.request, Some(request), "{context}");
            assert_eq!(made_for.versions, versions(rootlesskit), "{context}");
        }
        let rest = Entry {
            made_for: before.made_for.clone(),
            ..after
        };
        assert_eq!(rest, before, "{context}");
        assert_eq!(fs::read(entry_file(&home, 2)).unwrap(), newest, "{context}");
    }
}

#[test]
fn where_nothing_stands_nothing_is_recorded() {
    let home = Home::new();
    let journal = home.journal();
    journal
        .see_again(UNIT, &Request::default(), versions("1.0.0"))
        .unwrap();
    drop(journal);
    assert!(!entry_file(&home, 1).exists());
    generation(&home, UNIT, State::Begun, &["a"]);
    let before = fs::read(entry_file(&home, 1)).unwrap();
    let journal = home.journal();
    journal
        .see_again(UNIT, &Request::default(), versions("2.0.0"))
        .unwrap();
    assert_eq!(fs::read(entry_file(&home, 1)).unwrap(), before);
}
