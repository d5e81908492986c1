use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use proptest::prelude::*;

use super::*;

/// `[Service]` with the given lines, as (name, value) pairs.
fn set_by(lines: &str) -> Vec<(String, String)> {
    pairs(&environment(&[&format!("[Service]\n{lines}\n")]))
}

fn pairs(environment: &Environment) -> Vec<(String, String)> {
    environment
        .variables
        .iter()
        .map(|it| (it.name.clone(), it.value.clone()))
        .collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn assignments(text: &str) -> Vec<(String, String, String, usize)> {
    parse(text)
        .assignments
        .into_iter()
        .map(|it| (it.section, it.key, it.value, it.line))
        .collect()
}

#[test]
fn environment_lines_read_as_systemd_reads_them() {
    // What systemd 252, 257 and 262 answered over D-Bus for the same lines.
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("Environment=A=1 B=2", &[("A", "1"), ("B", "2")]),
        (
            "Environment=\"A=x y\" 'B=x \"y\"'",
            &[("A", "x y"), ("B", "x \"y\"")],
        ),
        ("Environment=A=\"x y\"z", &[("A", "x yz")]),
        ("Environment=A=1 \\\n  B=2", &[("A", "1"), ("B", "2")]),
        (
            "Environment=A=1 \\\n# comment\n  ; another\nB=2",
            &[("A", "1"), ("B", "2")],
        ),
        ("Environment=A=1 \\\n\nB=2", &[("A", "1")]),
        ("Environment = A=1 ", &[("A", "1")]),
        (
            "Environment=A=1\r\nEnvironment=B=2\r",
            &[("A", "1"), ("B", "2")],
        ),
        (
            "Environment=A=1\rEnvironment=B=2",
            &[("A", "1"), ("B", "2")],
        ),
        (
            "Environment=A=1\nEnvironment=B=2 A=3",
            &[("A", "3"), ("B", "2")],
        ),
        (
            "Environment=A=1\nEnvironment=\nEnvironment=B=2",
            &[("B", "2")],
        ),
        ("Environment=A=1\nEnvironment=\"\"", &[("A", "1")]),
        ("Environment=A=", &[("A", "")]),
        ("Environment=A=b=c", &[("A", "b=c")]),
        ("Environment=A=$HOME", &[("A", "$HOME")]),
        ("Environment=A=50%% B=5%-", &[("A", "50%"), ("B", "5%-")]),
        ("Environment=A=\\x25\\x25", &[("A", "%")]),
        (
            "Environment=A=\\t\\s\\101\\x41\\u00e9\\U0001f600",
            &[("A", "\t AAé😀")],
        ),
        (
            "Environment=A=\\xc3\\xa9 B=\\xff C=3",
            &[("A", "é"), ("C", "3")],
        ),
        ("Environment=A=1 B=\\q C=3", &[("A", "1")]),
        ("Environment=A=1 \"B=2 C=3", &[("A", "1")]),
        ("Environment=A=1 B=x\\ y", &[("A", "1")]),
        ("Environment=A=\\x00", &[]),
        (
            "Environment=A=1 B=\\xed\\xa0\\x80 C=3",
            &[("A", "1"), ("C", "3")],
        ),
        ("Environment=1A=x é=1 A-B=2 nothing =x _=ok", &[("_", "ok")]),
        ("Environment=A=\\ufffe B=1", &[("B", "1")]),
        ("Environment=A=%z B=1", &[("B", "1")]),
        ("environment=A=1", &[]),
        ("# Environment=A=1 \\\nEnvironment=B=2", &[("B", "2")]),
        (
            "[Unit]\nEnvironment=A=1\n[Service]\nEnvironment=B=2",
            &[("B", "2")],
        ),
        ("[broken\nEnvironment=A=1", &[]),
        ("Environment=A=1\\", &[("A", "1")]),
        ("Environment=A=1\\\\", &[("A", "1\\")]),
    ];
    for (lines, expected) in cases {
        assert_eq!(set_by(lines), owned(expected), "{lines:?}");
    }
}

#[test]
fn the_override_that_everybody_copies_is_read() {
    let fragment = "\
[Unit]
Description=Docker Application Container Engine (Rootless)
Documentation=https://docs.docker.com/go/rootless/

[Service]
Environment=PATH=/usr/bin:/sbin:/usr/sbin:/home/alice/bin:/usr/local/bin:/bin
ExecStart=/usr/bin/dockerd-rootless.sh  --iptables=false
ExecReload=/bin/kill -s HUP $MAINPID
TimeoutSec=0
Restart=always

[Install]
WantedBy=default.target
";
    let override_conf = "\
[Service]
Environment=\"DOCKERD_ROOTLESS_ROOTLESSKIT_NET=pasta\" \\
            \"DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER=implicit\"
Environment=\"DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS=--ipv6 -p 0.0.0.0:2376:2376/tcp\"
Environment=HTTP_PROXY=http://user:p%%40ss@proxy:3128
";
    let environment = environment(&[fragment, override_conf]);
    assert_eq!(
        pairs(&environment),
        owned(&[
            (
                "PATH",
                "/usr/bin:/sbin:/usr/sbin:/home/alice/bin:/usr/local/bin:/bin"
            ),
            ("DOCKERD_ROOTLESS_ROOTLESSKIT_NET", "pasta"),
            ("DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER", "implicit"),
            (
                "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS",
                "--ipv6 -p 0.0.0.0:2376:2376/tcp"
            ),
            ("HTTP_PROXY", "http://user:p%40ss@proxy:3128"),
        ])
    );
    let net = environment
        .variable("DOCKERD_ROOTLESS_ROOTLESSKIT_NET")
        .map(|it| (it.file, it.line));
    assert_eq!(net, Some((1, 2)));
    assert_eq!(environment.skipped, []);
}

#[test]
fn a_variable_keeps_the_place_where_it_was_first_set() {
    let files = [
        "[Service]\nEnvironment=A=1 B=2\n",
        "[Service]\nEnvironment=C=3 A=4\n",
    ];
    assert_eq!(
        pairs(&environment(&files)),
        owned(&[("A", "4"), ("B", "2"), ("C", "3")])
    );
}

#[test]
fn a_specifier_makes_a_value_uncertain_and_a_name_unknowable() {
    let found =
        environment(&["[Service]\nEnvironment=A=%h/x%%y B=100%% %i=1 C%n=2 %p A=%h D%%=1\n"]);
    let seen: Vec<_> = found
        .variables
        .iter()
        .map(|it| (it.name.as_str(), it.value.as_str(), it.uncertain))
        .collect();
    assert_eq!(seen, [("A", "%h", true), ("B", "100%", false)]);
    let skipped: Vec<_> = found
        .skipped
        .iter()
        .map(|it| (it.text.as_str(), it.why))
        .collect();
    assert_eq!(
        skipped,
        [
            ("%i=1", SkipReason::SpecifierInName),
            ("C%n=2", SkipReason::SpecifierInName),
            ("%p", SkipReason::SpecifierInName),
            ("D%%=1", SkipReason::BadName),
        ]
    );
}

#[test]
fn what_is_unset_is_reported_and_not_applied() {
    let found = environment(&[
        "[Service]\nEnvironment=A=1\nUnsetEnvironment=X\n",
        "[Service]\nUnsetEnvironment=\nUnsetEnvironment=A \"B=2 %%\" A 1x C-D A=%h\n",
    ]);
    let unset: Vec<_> = found.unset.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(pairs(&found), owned(&[("A", "1")]));
    assert_eq!(unset, ["A", "B=2 %"]);
    let skipped: Vec<_> = found
        .skipped
        .iter()
        .map(|it| (it.text.as_str(), it.why))
        .collect();
    assert_eq!(
        skipped,
        [
            ("1x", SkipReason::BadName),
            ("C-D", SkipReason::BadName),
            ("A=%h", SkipReason::SpecifierInName),
        ]
    );
}

#[test]
fn broken_lines_are_reported_with_their_number() {
    let parsed = parse("A=0\n[Service]\nA=1\nnonsense\n=x\n\nB = 2 \\\n  3\n[oops\nC=4\n");
    let broken: Vec<_> = parsed.broken.iter().map(|it| (it.line, it.why)).collect();
    assert_eq!(
        broken,
        [
            (1, BrokenWhy::OutsideSection),
            (4, BrokenWhy::NoEqualsSign),
            (5, BrokenWhy::NoKey),
            (9, BrokenWhy::BadSectionHeader),
        ]
    );
    let values: Vec<_> = parsed
        .assignments
        .iter()
        .map(|it| (it.key.as_str(), it.value.as_str(), it.line))
        .collect();
    assert_eq!(values, [("A", "1", 3), ("B", "2    3", 7)]);
}

#[test]
fn a_byte_order_mark_is_skipped_and_a_noncharacter_ends_the_file() {
    let service = |key: &str, line| ("Service".to_owned(), key.to_owned(), "1".to_owned(), line);
    assert_eq!(assignments("\u{feff}[Service]\nA=1\n"), [service("A", 2)]);
    assert_eq!(
        assignments("[Service]\nA=1\nB=\u{fffe}\nC=1\n"),
        [service("A", 2)]
    );
    assert_eq!(
        assignments("[Service]\n# \u{fffe}\nA=1\n"),
        [service("A", 3)]
    );
}

#[test]
fn flags_merge_token_by_token() {
    let cases: &[(&str, &[&str], &str)] = &[
        ("", &["--ipv6"], "--ipv6"),
        ("--ipv6", &["--ipv6"], "--ipv6"),
        ("  --ipv6   --debug ", &["--ipv6"], "  --ipv6   --debug "),
        ("-ipv6", &["--ipv6"], "-ipv6"),
        ("--ipv6=true", &["--ipv6"], "--ipv6=true"),
        ("--ipv6=false", &["--ipv6"], "--ipv6"),
        (
            "--debug --ipv6=0 --pidns",
            &["--ipv6"],
            "--debug --ipv6 --pidns",
        ),
        ("--ipv6", &["--ipv6=false"], "--ipv6=false"),
        (
            "-p 0.0.0.0:2376:2376/tcp",
            &["--ipv6"],
            "-p 0.0.0.0:2376:2376/tcp --ipv6",
        ),
        (
            "--cidr=10.0.2.0/24 --debug",
            &["--cidr=10.0.3.0/24"],
            "--cidr=10.0.3.0/24 --debug",
        ),
        (
            "--cidr 10.0.2.0/24 --debug",
            &["--cidr=10.0.3.0/24"],
            "--cidr=10.0.3.0/24 --debug",
        ),
        (
            "--cidr 10.0.2.0/24 --debug",
            &["--cidr=10.0.2.0/24"],
            "--cidr 10.0.2.0/24 --debug",
        ),
        (
            "--debug",
            &["--cidr", "10.0.3.0/24"],
            "--debug --cidr 10.0.3.0/24",
        ),
        ("--mtu=1 --mtu=2", &["--mtu=3"], "--mtu=1 --mtu=3"),
        ("--mtu=3 --mtu=2", &["--mtu=2"], "--mtu=3 --mtu=2"),
        (
            "-p 1:1/tcp",
            &["--publish=2:2/tcp", "-p", "1:1/tcp"],
            "-p 1:1/tcp --publish=2:2/tcp",
        ),
        ("--debug --", &["--ipv6"], "--debug --ipv6 --"),
        (
            "--state-dir=/tmp/* --x",
            &["--ipv6"],
            "--state-dir=/tmp/* --x --ipv6",
        ),
        ("--debug\n\t--pidns", &["--ipv6"], "--debug --pidns --ipv6"),
        ("--ipv6", &[], "--ipv6"),
    ];
    for (existing, wanted, expected) in cases {
        let merged = merge_flags(existing, wanted).unwrap();
        assert_eq!(merged, *expected, "{existing:?} + {wanted:?}");
        assert_eq!(
            merge_flags(&merged, wanted).unwrap(),
            merged,
            "twice: {existing:?} + {wanted:?}"
        );
    }
}

#[test]
fn a_token_that_the_shell_would_take_apart_is_refused_by_name() {
    let cases = [
        (
            "--state-dir=/a b",
            "`--state-dir=/a b` contains white space",
        ),
        ("--x=/tmp/*", "`--x=/tmp/*` contains `*`"),
        ("--x=a?", "contains `?`"),
        ("--x=[a]", "contains `[`"),
        ("--x=a\\b", "contains `\\`"),
        ("ipv6", "`ipv6` is not a flag"),
        ("--", "`--` is not a flag"),
        ("", "`` is not a flag"),
        ("--publish", "`--publish` lacks its value"),
    ];
    for (token, expected) in cases {
        let error = merge_flags("--debug", &[token]).unwrap_err().to_string();
        assert!(error.contains(expected), "{token:?}: {error}");
    }
}

#[test]
fn our_drop_in_reads_like_this() {
    let up = Command {
        when: When::AfterStart,
        program: Path::new("/home/alice/.local/bin/rootless6"),
        arguments: &["uplink"],
    };
    let awkward = Command {
        when: When::BeforeStart,
        program: Path::new("/opt/100% mine/$x/rootless6"),
        arguments: &["", "a b", "$HOME", ";", "q\"\\"],
    };
    let text = render(
        &[
            ("DOCKERD_ROOTLESS_ROOTLESSKIT_NET", "pasta"),
            ("A", "q\" b\\ 5%\n\u{1b}\u{85}é"),
        ],
        &[up, awkward],
    );
    let expected = r#"# Written by rootless6; settings of your own belong in another drop-in.
# To undo, type: rootless6 undo
[Service]
Environment="DOCKERD_ROOTLESS_ROOTLESSKIT_NET=pasta"
Environment="A=q\" b\\ 5%%\n\x1b\u0085é"
ExecStartPost=-/home/alice/.local/bin/rootless6 uplink
ExecStartPre=-"/opt/100%% mine/$x/rootless6" "" "a b" "$$HOME" ";" "q\"\\"
"#;
    assert_eq!(text.unwrap(), expected);
}

#[test]
fn what_systemd_cannot_read_back_is_not_written() {
    let run = |program| {
        render(
            &[],
            &[Command {
                when: When::AfterStart,
                program,
                arguments: &[],
            }],
        )
        .unwrap_err()
    };
    assert_eq!(
        render(&[("A-B", "")], &[]),
        Err(RenderError::Name("A-B".to_owned()))
    );
    assert_eq!(
        render(&[("A", "1"), ("A", "1")], &[]),
        Err(RenderError::Twice("A".to_owned()))
    );
    assert_eq!(
        render(&[("A", "a\0b")], &[]),
        Err(RenderError::Value("A".to_owned()))
    );
    assert_eq!(
        render(&[("A", "\u{ffff}")], &[]),
        Err(RenderError::Value("A".to_owned()))
    );
    for program in [
        "rootless6",
        "/bin/",
        "/bin/rootless6 ",
        "/it's/rootless6",
        "/a\\b",
        "/a\"b",
        "/a\nb",
    ] {
        let path = Path::new(program);
        assert_eq!(run(path), RenderError::Program(path.to_owned()));
    }
    let no_utf8 = Path::new(OsStr::from_bytes(b"/caf\xe9/rootless6"));
    let refused = run(no_utf8);
    assert_eq!(refused, RenderError::Program(no_utf8.to_owned()));
    assert!(refused.to_string().contains(r#""/caf\xE9/rootless6""#));
    let command = Command {
        when: When::AfterStart,
        program: Path::new("/bin/true"),
        arguments: &["a\0"],
    };
    assert_eq!(
        render(&[], &[command]),
        Err(RenderError::Argument("a\0".to_owned()))
    );
}

fn value() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        prop::sample::select(vec![
            '\\', '"', '\'', '%', '$', ' ', '#', ';', '\n', '\r', '\t', '=', 'n', 'x', '\u{feff}'
        ]),
        any::<char>(),
    ];
    prop::collection::vec(character, 0..20)
        .prop_map(String::from_iter)
        .prop_filter("what systemd takes", |value| {
            !value.contains('\0') && is_utf8_for_systemd(value)
        })
}

proptest! {
    #[test]
    fn environment_undoes_render(variables in prop::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,8}", value(), 0..6)) {
        let pairs: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let text = render(&pairs, &[]).unwrap();
        let read = environment(&[&text]);
        prop_assert_eq!(super::tests::pairs(&read), owned(&pairs));
        prop_assert!(read.skipped.is_empty() && read.variables.iter().all(|variable| !variable.uncertain));
        prop_assert!(parse(&text).broken.is_empty());
    }

    #[test]
    fn reading_never_panics(text in "(?s)\\PC{0,40}|([\\[\\]=\\\\\"'%;#A-Cu0-9 \r\n\t\0]|Environment=|\\[Service\\]\n){0,60}") {
        environment(&[&text]);
    }

    #[test]
    fn merging_flags_twice_is_merging_once_and_keeps_strangers(
        existing in "((-{0,2}(ipv6|mtu|p|copy-up|x)(=[a-c]{0,2}|=false)?|--|[a-c]{1,2})[ \n]{1,2}){0,6}",
        wanted in prop::collection::vec("--(ipv6|mtu=[ab]|publish=[ab]|new)", 0..4),
    ) {
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let once = merge_flags(&existing, &wanted).unwrap();
        prop_assert_eq!(merge_flags(&once, &wanted).unwrap(), once.clone());
        let strangers = |flags: &str| -> Vec<String> {
            let ours = ["ipv6", "mtu", "publish", "p", "new"];
            let bare = |token: &str| token.trim_start_matches('-').split('=').next().unwrap_or_default().to_owned();
            flags.split_whitespace().filter(|it| it.starts_with('-') && !ours.contains(&bare(it).as_str())).map(str::to_owned).collect()
        };
        prop_assert_eq!(strangers(&once), strangers(&existing));
    }
}
