use proptest::prelude::*;
use serde_json::json;

use super::*;

fn ipv6() -> Vec<Change> {
    vec![Change::set(["ipv6"], true)]
}

fn new_networks() -> Vec<Change> {
    vec![Change::set(
        [
            "default-network-opts",
            "bridge",
            "com.docker.network.enable_ipv6",
        ],
        "true",
    )]
}

fn pool() -> Vec<Change> {
    vec![Change::append(
        ["default-address-pools"],
        json!({"base": "fd12:3456:789a::/48", "size": 64}),
    )]
}

/// Edits, and checks what holds for every edit: it parses, and doing it again changes nothing.
fn edited(text: &str, changes: &[Change]) -> String {
    let once = edit(Some(text), changes).unwrap();
    assert!(serde_json::from_str::<Value>(&once).is_ok(), "{once}");
    assert_eq!(edit(Some(&once), changes).unwrap(), once, "twice");
    once
}

#[test]
fn a_member_goes_in_as_the_owner_would_have_typed_it() {
    let cases: &[(&str, &str)] = &[
        ("{}", "{\n  \"ipv6\": true\n}"),
        ("{}\n", "{\n  \"ipv6\": true\n}\n"),
        ("{}\r\n", "{\r\n  \"ipv6\": true\r\n}\r\n"),
        ("{\n}\n", "{\n  \"ipv6\": true\n}\n"),
        ("{ }", "{ \"ipv6\": true }"),
        ("{\"a\":1}", "{\"a\":1,\"ipv6\":true}"),
        ("{\"a\": 1}", "{\"a\": 1, \"ipv6\": true}"),
        ("{ \"a\": 1 }\n", "{ \"a\": 1, \"ipv6\": true }\n"),
        ("{\"a\":1, \"b\":2}", "{\"a\":1, \"b\":2, \"ipv6\":true}"),
        (
            "{\n  \"a\": 1\n}\n",
            "{\n  \"a\": 1,\n  \"ipv6\": true\n}\n",
        ),
        (
            "{\n    \"a\" : 1\n}",
            "{\n    \"a\" : 1,\n    \"ipv6\" : true\n}",
        ),
        (
            "{\n\t\"a\": 1\n}\n",
            "{\n\t\"a\": 1,\n\t\"ipv6\": true\n}\n",
        ),
        (
            "{\r\n\t\"a\": 1\r\n}\r\n",
            "{\r\n\t\"a\": 1,\r\n\t\"ipv6\": true\r\n}\r\n",
        ),
        (
            "{\n  \"a\": 1,\n\n  \"b\": 2\n\n}\n",
            "{\n  \"a\": 1,\n\n  \"b\": 2,\n  \"ipv6\": true\n\n}\n",
        ),
        ("{\n\"a\": 1\n}", "{\n\"a\": 1,\n\"ipv6\": true\n}"),
        ("\n {\"a\": 1} \n\n", "\n {\"a\": 1, \"ipv6\": true} \n\n"),
    ];
    for (text, expected) in cases {
        assert_eq!(edited(text, &ipv6()), *expected, "{text:?}");
    }
}

#[test]
fn only_the_value_that_differs_is_replaced() {
    let cases: &[(&str, &str)] = &[
        (
            "{\"ipv6\" :\tfalse , \"a\":1.0e+2}",
            "{\"ipv6\" :\ttrue , \"a\":1.0e+2}",
        ),
        (
            "{\n  \"\\u0069pv6\": null,\n  \"a\": \"\\u00e9\\/\"\n}",
            "{\n  \"\\u0069pv6\": true,\n  \"a\": \"\\u00e9\\/\"\n}",
        ),
        ("{\"ipv6\": {\"}\": \"]\\\"\"}}", "{\"ipv6\": true}"),
        (
            "{ \"b\": [1, {\"ipv6\": 0}], \"ipv6\":\n true }",
            "{ \"b\": [1, {\"ipv6\": 0}], \"ipv6\":\n true }",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(edited(text, &ipv6()), *expected, "{text:?}");
    }
}

#[test]
fn nested_objects_are_made_where_they_are_missing() {
    let cases: &[(&str, &str)] = &[
        (
            "{\n    \"a\": 1\n}\n",
            "{\n    \"a\": 1,\n    \"default-network-opts\": {\n        \"bridge\": {\n            \
             \"com.docker.network.enable_ipv6\": \"true\"\n        }\n    }\n}\n",
        ),
        (
            "{\n\t\"default-network-opts\": {},\n\t\"b\": 2\n}\n",
            "{\n\t\"default-network-opts\": {\n\t\t\"bridge\": {\n\t\t\t\"com.docker.network.enable_ipv6\": \"true\"\n\t\t}\n\t},\n\t\"b\": 2\n}\n",
        ),
        (
            "{\n  \"default-network-opts\": {\"bridge\": {}}\n}\n",
            "{\n  \"default-network-opts\": {\"bridge\": {\"com.docker.network.enable_ipv6\": \"true\"}}\n}\n",
        ),
        (
            "{\"default-network-opts\":{\"bridge\":{\"com.docker.network.driver.mtu\":\"1400\"}}}",
            "{\"default-network-opts\":{\"bridge\":{\"com.docker.network.driver.mtu\":\"1400\",\"com.docker.network.enable_ipv6\":\"true\"}}}",
        ),
        (
            "{\"a\":1}",
            "{\"a\":1,\"default-network-opts\":{\"bridge\":{\"com.docker.network.enable_ipv6\":\"true\"}}}",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(edited(text, &new_networks()), *expected, "{text:?}");
    }
}

#[test]
fn a_list_takes_one_more_element() {
    let cases: &[(&str, &str)] = &[
        (
            "{\n  \"default-address-pools\": [\n    {\"base\": \"172.30.0.0/16\", \"size\": 24}\n  ]\n}\n",
            "{\n  \"default-address-pools\": [\n    {\"base\": \"172.30.0.0/16\", \"size\": 24},\n    \
             {\"base\": \"fd12:3456:789a::/48\", \"size\": 64}\n  ]\n}\n",
        ),
        (
            "{\n  \"default-address-pools\": [\n    {\n      \"base\": \"172.30.0.0/16\",\n      \"size\": 24\n    }\n  ]\n}\n",
            "{\n  \"default-address-pools\": [\n    {\n      \"base\": \"172.30.0.0/16\",\n      \"size\": 24\n    },\n    \
             {\n      \"base\": \"fd12:3456:789a::/48\",\n      \"size\": 64\n    }\n  ]\n}\n",
        ),
        (
            "{\"default-address-pools\":[{\"base\":\"172.30.0.0/16\",\"size\":24}]}",
            "{\"default-address-pools\":[{\"base\":\"172.30.0.0/16\",\"size\":24},{\"base\":\"fd12:3456:789a::/48\",\"size\":64}]}",
        ),
        (
            "{\n  \"default-address-pools\": []\n}\n",
            "{\n  \"default-address-pools\": [\n    {\"base\": \"fd12:3456:789a::/48\", \"size\": 64}\n  ]\n}\n",
        ),
        (
            "{\n  \"default-address-pools\": [ { \"size\": 64, \"base\": \"fd12:3456:789a::/48\" } ]\n}",
            "{\n  \"default-address-pools\": [ { \"size\": 64, \"base\": \"fd12:3456:789a::/48\" } ]\n}",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(edited(text, &pool()), *expected, "{text:?}");
    }
}

#[test]
fn a_real_file_keeps_everything_that_is_not_ours() {
    let text = "{\n  \"registry-mirrors\": [\"https://mirror.example:5000\"],\n  \"log-driver\": \"json-file\",\n  \
                \"log-opts\": {\n    \"max-size\": \"10m\",\n    \"max-file\": \"3\"\n  },\n  \"features\": { \"buildkit\": true },\n  \
                \"mtu\": 1500\n}\n";
    let changes = [
        Change::set(["ipv6"], true),
        Change::set(
            [
                "default-network-opts",
                "bridge",
                "com.docker.network.enable_ipv6",
            ],
            "true",
        ),
        Change::set(["mtu"], 1400),
        Change::set(["features", "containerd-snapshotter"], false),
    ];
    let expected = "{\n  \"registry-mirrors\": [\"https://mirror.example:5000\"],\n  \"log-driver\": \"json-file\",\n  \
                \"log-opts\": {\n    \"max-size\": \"10m\",\n    \"max-file\": \"3\"\n  },\n  \
                \"features\": { \"buildkit\": true, \"containerd-snapshotter\": false },\n  \
                \"mtu\": 1400,\n  \"ipv6\": true,\n  \"default-network-opts\": {\n    \"bridge\": {\n      \
                \"com.docker.network.enable_ipv6\": \"true\"\n    }\n  }\n}\n";
    assert_eq!(edited(text, &changes), expected);
}

#[test]
fn no_file_and_a_blank_file_become_a_fresh_document() {
    let expected = "{\n  \"ipv6\": true,\n  \"default-address-pools\": [\n    \
                    {\"base\": \"fd12:3456:789a::/48\", \"size\": 64}\n  ]\n}\n";
    let changes = [ipv6(), pool()].concat();
    for text in [None, Some(""), Some(" \n\t\r\n")] {
        assert_eq!(edit(text, &changes).unwrap(), expected);
    }
    assert_eq!(edit(None, &[]).unwrap(), "{}\n");
    assert_eq!(edit(Some("\n"), &[]).unwrap(), "\n");
}

#[test]
fn another_list_or_object_is_printed_in_the_style_of_the_old_one() {
    let dns = [Change::set(["dns"], json!(["::1", "127.0.0.1"]))];
    assert_eq!(
        edited("{\n  \"dns\": [\"9.9.9.9\"]\n}", &dns),
        "{\n  \"dns\": [\"::1\", \"127.0.0.1\"]\n}"
    );
    assert_eq!(
        edited("{\n  \"dns\": [\n    \"9.9.9.9\"\n  ]\n}", &dns),
        "{\n  \"dns\": [\n    \"::1\",\n    \"127.0.0.1\"\n  ]\n}"
    );
    assert_eq!(
        edited("{\"dns\":[]}", &dns),
        "{\"dns\":[\"::1\",\"127.0.0.1\"]}"
    );
}

#[test]
fn a_file_that_dockerd_would_misread_is_refused() {
    let deep = vec![Change::set(["log-opts", "max-size", "x"], 1)];
    let cases: &[(&str, &[Change], &str)] = &[
        (
            "{\n  \"a\": 1,\n}",
            &ipv6(),
            "not valid JSON: trailing comma at line 3 column 1",
        ),
        (
            "{\n  // no\n}",
            &ipv6(),
            "not valid JSON: key must be a string at line 2 column 3",
        ),
        (
            "{\"a\": 1} x",
            &ipv6(),
            "not valid JSON: trailing characters at line 1 column 10",
        ),
        ("[]", &ipv6(), "the top level is a list, not an object"),
        ("null", &ipv6(), "the top level is null, not an object"),
        ("\u{feff}{}", &ipv6(), "byte order mark"),
        (
            "{\"log-opts\": {\"max-size\": \"10m\"}}",
            &deep,
            "`log-opts → max-size` is a string, not an object",
        ),
        (
            "{\"default-address-pools\": {}}",
            &pool(),
            "`default-address-pools` is an object, not a list",
        ),
        (
            "{\"ipv6\": true,\n\n\"ipv6\": true}",
            &ipv6(),
            "`ipv6` is there twice (lines 1 and 3); dockerd would take the last one",
        ),
        (
            "{\"ipv6\": true, \"\\u0069pv6\": true}",
            &ipv6(),
            "`ipv6` is there twice",
        ),
        (
            "{}",
            &[Change::Set {
                path: vec![],
                value: Value::Null,
            }],
            "a change without a path",
        ),
    ];
    for (text, changes, expected) in cases {
        let error = edit(Some(text), changes).unwrap_err().to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
    assert!(
        edit(Some("{\"a\": 1, \"a\": 2}"), &ipv6()).is_ok(),
        "a duplicate off our path is not our business"
    );
}

#[test]
fn lookup_finds_what_the_file_says() {
    let text = "{\"ipv6\": true, \"a\": {\"b\": [1]}, \"n\": null}";
    assert_eq!(lookup(text, &["ipv6"]).unwrap(), Some(json!(true)));
    assert_eq!(lookup(text, &["a", "b"]).unwrap(), Some(json!([1])));
    assert_eq!(lookup(text, &["n"]).unwrap(), Some(Value::Null));
    assert_eq!(lookup(text, &["a", "c", "d"]).unwrap(), None);
    assert_eq!(lookup(" \n", &["a"]).unwrap(), None);
    assert!(lookup(text, &["ipv6", "x"]).is_err());
    assert!(lookup("{", &["ipv6"]).is_err());
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c\\[\\]{}:,\"\\\\\né ]{0,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            json_object(inner).prop_map(Value::Object),
        ]
    })
}

fn json_object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec(("[a-c]|ipv6|k\"\\}", value), 0..5).prop_map(Map::from_iter)
}

/// Prints a value with blanks of all kinds strewn between its tokens.
fn untidy(value: &Value, gap: &mut dyn FnMut() -> &'static str) -> String {
    let ([open, close], items): (_, Vec<String>) = match value {
        Value::Object(members) => {
            let print = |(key, value): (&String, &Value)| {
                format!(
                    "{}{}:{}{}",
                    Value::from(key.as_str()),
                    gap(),
                    gap(),
                    untidy(value, gap)
                )
            };
            (["{", "}"], members.iter().map(print).collect())
        }
        Value::Array(elements) => (
            ["[", "]"],
            elements
                .iter()
                .map(|element| untidy(element, gap))
                .collect(),
        ),
        scalar => return scalar.to_string(),
    };
    let mut text = format!("{open}{}", gap());
    for (index, item) in items.iter().enumerate() {
        text += if index == 0 { "" } else { "," };
        text += &format!("{}{item}{}", gap(), gap());
    }
    text + close
}

fn document() -> impl Strategy<Value = (Value, String)> {
    let gaps = prop_oneof![
        Just(vec![""]),
        Just(vec![" "]),
        prop::collection::vec(
            prop::sample::select(vec!["", " ", "\n", "\n  ", "\t", "\r\n\t", "\n\n    "]),
            1..12
        ),
    ];
    (json_object(json_value()), gaps, 0..4_usize).prop_map(|(members, gaps, print)| {
        let value = Value::Object(members);
        let mut gaps = gaps.into_iter().cycle();
        let text = match print {
            0 => value.to_string(),
            1 => format!("{value:#}\n"),
            2 => format!("{value:#}").replace('\n', "\r\n"),
            _ => untidy(&value, &mut || gaps.next().unwrap_or_default()),
        };
        (value, text)
    })
}

fn path() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-c]|ipv6|new|k\"\\}", 1..4)
}

/// What the change means, on values. `None` where the path crosses something else.
fn set(value: &mut Value, path: &[String], new: &Value) -> Option<()> {
    let (key, rest) = path.split_first()?;
    let members = value.as_object_mut()?;
    if rest.is_empty() {
        members.insert(key.clone(), new.clone());
        return Some(());
    }
    set(
        members.entry(key.clone()).or_insert_with(|| json!({})),
        rest,
        new,
    )
}

fn is_subsequence(part: &str, whole: &str) -> bool {
    let mut whole = whole.bytes();
    part.bytes().all(|byte| whole.any(|other| other == byte))
}

proptest! {
    #[test]
    fn setting_a_value_changes_that_and_nothing_else((before, text) in document(), path in path(), new in json_value()) {
        let changes = [Change::Set { path: path.clone(), value: new.clone() }];
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        let mut expected = before.clone();
        if set(&mut expected, &path, &new).is_none() {
            let refused = matches!(edit(Some(&text), &changes), Err(JsonError::NotAnObject { .. }));
            prop_assert!(refused);
            return Ok(());
        }
        let after = edit(Some(&text), &changes).unwrap();
        let parsed: Value = serde_json::from_str(&after).unwrap();
        // As text, for equal maps may differ in order.
        prop_assert_eq!(parsed.to_string(), reordered(&expected, &before, &path, &new).to_string(), "{}", after);
        prop_assert_eq!(edit(Some(&after), &changes).unwrap(), after.clone());
        prop_assert_eq!(lookup(&after, &keys).unwrap(), Some(new.clone()));
        match lookup(&text, &keys).unwrap() {
            Some(old) if old == new => prop_assert_eq!(after, text),
            Some(_) => {
                let Place::Found { member, .. } = find(&text, &path).unwrap() else { unreachable!() };
                prop_assert!(after.starts_with(&text[..member.value.start]) && after.ends_with(&text[member.value.end..]));
            }
            None => prop_assert!(is_subsequence(&text, &after)),
        }
    }

    #[test]
    fn appending_adds_one_element_and_nothing_else((before, text) in document(), key in "[a-c]|new", new in json_value()) {
        let changes = [Change::Append { path: vec![key.clone()], value: new.clone() }];
        let mut expected = before.clone();
        match expected.as_object_mut().unwrap().entry(key).or_insert_with(|| json!([])) {
            Value::Array(elements) if elements.contains(&new) => {}
            Value::Array(elements) => elements.push(new),
            _ => {
                let refused = matches!(edit(Some(&text), &changes), Err(JsonError::NotAList { .. }));
                prop_assert!(refused);
                return Ok(());
            }
        }
        let after = edit(Some(&text), &changes).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&after).unwrap().to_string(), expected.to_string(), "{}", after);
        prop_assert_eq!(edit(Some(&after), &changes).unwrap(), after.clone());
        prop_assert!(is_subsequence(&text, &after));
    }

    #[test]
    fn edit_never_panics(text in "([{}\\[\\]:,\"\\\\a1 \n\r\u{feff}]|\"ipv6\":|true){0,24}", path in path()) {
        let _ = edit(Some(&text), &[Change::Set { path: path.clone(), value: json!({"a": [1]}) }]);
        let _ = edit(Some(&text), &[Change::Append { path, value: Value::Null }]);
    }
}

/// An equal value is left as it is written, the order of its keys included.
fn reordered(expected: &Value, before: &Value, path: &[String], new: &Value) -> Value {
    let pointed = path.iter().try_fold(before, |value, key| value.get(key));
    if pointed == Some(new) {
        before.clone()
    } else {
        expected.clone()
    }
}
