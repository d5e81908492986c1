//! What a container says is an attacker's: it is read or refused, and nothing of it moves a cursor.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use rootless6::report::human;
use rootless6::vantage::{self, Answer};
use rootless6::verify::{Evidence, Vantage, judge::judge};
use serde_json::{Value, json};

/// Honest answers, one for each piece of evidence that has its own container.
static HONEST: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let files = fs::read_dir("tests/evidence").unwrap();
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let evidence: Value = serde_json::from_str(&text).unwrap();
        json!({ "observation": evidence["container"] })
    };
    let answers = files.map(read);
    let healthy: Value =
        serde_json::from_str(&fs::read_to_string("tests/evidence/healthy.json").unwrap()).unwrap();
    let mut honest: Vec<Value> = answers
        .map(|answer| merged(&json!({ "observation": healthy["container"] }), &answer))
        .collect();
    honest.retain(|answer| vantage::read_answer(answer.to_string().as_bytes()).is_ok());
    assert!(honest.len() > 20, "the evidence has been lost");
    honest
});

fn merged(base: &Value, differs: &Value) -> Value {
    match (base, differs) {
        (Value::Object(base), Value::Object(differs)) => {
            let mut whole = base.clone();
            for (key, value) in differs {
                let below = base.get(key).unwrap_or(&Value::Null);
                whole.insert(key.clone(), merged(below, value));
            }
            Value::Object(whole)
        }
        (base, Value::Null) => base.clone(),
        (_, differs) => differs.clone(),
    }
}

/// Every value that is no list and no object.
fn leaves<'a>(value: &'a mut Value, found: &mut Vec<&'a mut Value>) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| leaves(value, found)),
        Value::Object(values) => values.values_mut().for_each(|value| leaves(value, found)),
        leaf => found.push(leaf),
    }
}

fn hostile() -> impl Strategy<Value = Value> {
    let numbers = select(vec![
        json!(-1),
        json!(0),
        json!(u64::MAX),
        json!(1e300),
        json!(null),
    ]);
    let words = prop_oneof![
        Just("\u{1b}[2J\u{1b}]0;owned\u{7}".to_owned()),
        Just("\u{9b}31m\r\nrootless6: all is well".to_owned()),
        Just("a".repeat(100_000)),
        ".{0,40}",
    ];
    prop_oneof![
        numbers,
        words.clone().prop_map(|word| json!(word)),
        words.clone().prop_map(|word| json!({ "failed": word })),
        words
            .clone()
            .prop_map(|word| json!({ "unreachable": word })),
        words.prop_map(|word| json!([word])),
    ]
}

/// What is said of an answer, on the screen and to scripts.
fn said(answer: Answer) -> Option<String> {
    let Answer::Observation(observation) = answer else {
        return None;
    };
    let evidence = Evidence {
        reports: vec![(Vantage::Container, Ok(*observation))],
        ..Evidence::default()
    };
    let judged = judge(&evidence, &[Vantage::Container], &[]);
    let mut texts = vec![
        judged.explanation.clone().unwrap_or_default(),
        judged.hints.join("\n"),
        human::checks_in_words(&judged),
    ];
    texts.extend(judged.checks.iter().filter_map(|check| check.why.clone()));
    texts.extend(judged.weak.iter().map(|weak| weak.explanation.clone()));
    // Drawn for its panics alone: our own colours are control characters, too.
    let _ = human::verification(&judged);
    Some(texts.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_container_says_moves_no_cursor(
        honest in any::<Index>(),
        places in prop::collection::vec((any::<Index>(), hostile()), 1..6),
    ) {
        let mut answer = honest.get(&HONEST).clone();
        for (place, lie) in places {
            let mut found = Vec::new();
            leaves(&mut answer, &mut found);
            if !found.is_empty() {
                let place = place.index(found.len());
                *found[place] = lie;
            }
        }
        let text = match vantage::read_answer(answer.to_string().as_bytes()) {
            Ok(answer) => said(answer).unwrap_or_default(),
            Err(error) => [vec![error.message], error.causes].concat().join("\n"),
        };
        let moves = |character: char| character.is_control() && character != '\n';
        prop_assert!(!text.contains(moves), "{:.300?}", text);
        prop_assert!(text.len() < 20_000, "{} bytes", text.len());
    }

    #[test]
    fn any_bytes_are_an_answer_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = vantage::read_answer(&bytes);
    }

    #[test]
    fn an_honest_answer_with_other_bytes_in_it_is_an_answer_or_refused(
        honest in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..20),
    ) {
        let mut bytes = honest.get(&HONEST).to_string().into_bytes();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(answer) = vantage::read_answer(&bytes) {
            said(answer);
        }
    }
}
