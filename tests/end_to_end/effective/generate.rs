//! Units and drop-ins as people write them, and worse, at random from a seed that is fixed and printed.

use std::env;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// `ROOTLESS6_SEED` tries another one.
const SEED: u64 = 20_261_122;

/// Stands for a byte that is no UTF-8, which a string cannot hold.
const NO_UTF8: char = '\u{f8ff}';

/// What a set consists of.
#[derive(Debug, Clone)]
pub(crate) struct UnitSet {
    /// The name of the unit.
    pub(crate) name: String,
    /// Files below `/`.
    pub(crate) files: Vec<(String, Content)>,
}

/// What there is at a path.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Bytes(Vec<u8>),
    Program(&'static str),
    /// A link to /dev/null.
    Masked,
    Directory,
}

impl UnitSet {
    /// A service that prints its environment, with a drop-in of ours and the program that it runs.
    pub(crate) fn rendered(number: usize, drop_in: String, program: (&Path, &'static str)) -> Self {
        let unit = format!("home/alice/.config/systemd/user/rendered{number}.service");
        let nature = Nature {
            starts: true,
            systemd: 0,
        };
        let below_root = |path: &Path| path.to_str().unwrap()[1..].to_owned();
        Self {
            name: format!("rendered{number}.service"),
            files: vec![
                (unit.clone(), Content::Bytes(head(nature).into())),
                (
                    format!("{unit}.d/zz-rootless6.conf"),
                    Content::Bytes(drop_in.into()),
                ),
                (below_root(program.0), Content::Program(program.1)),
            ],
        }
    }
}

/// How far a set goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nature {
    /// The service prints its environment, so it must start.
    pub(crate) starts: bool,
    /// The version that will read it: some of what nobody writes has changed its meaning.
    pub(crate) systemd: u32,
}

/// So many sets, named apart by their number.
pub(crate) fn sets(count: usize, nature: Nature) -> Vec<UnitSet> {
    let seed = env::var("ROOTLESS6_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    println!("{count} sets of ROOTLESS6_SEED={seed}");
    let mut runner = runner(seed);
    (0..count)
        .map(|number| drawn(&set(number, nature), &mut runner))
        .collect()
}

/// Values that a drop-in of ours may have to carry.
pub(crate) fn values(count: usize) -> Vec<String> {
    let character = prop_oneof![
        4 => select("\\\"'%$ #;=\n\t\r\u{1}\u{7f}\u{85}nx0h{}()".chars().collect::<Vec<_>>()),
        1 => any::<char>().prop_filter("what systemd takes", |it| *it != '\0' && u32::from(*it) & 0xfffe != 0xfffe && !('\u{fdd0}'..='\u{fdef}').contains(it)),
    ];
    let value = vec(character, 0..16).prop_map(String::from_iter);
    let mut runner = runner(SEED);
    (0..count).map(|_| drawn(&value, &mut runner)).collect()
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(Config::default(), rng)
}

fn drawn<S: Strategy>(strategy: &S, runner: &mut TestRunner) -> S::Value {
    strategy.new_tree(runner).unwrap().current()
}

fn set(number: usize, nature: Nature) -> impl Strategy<Value = UnitSet> {
    let stem = format!("{}{number}", if nature.starts { "started" } else { "read" });
    let name = ["", "-a-b", "-a@x-y"].map(|rest| format!("{stem}{rest}.service"));
    let name = select(name.to_vec());
    (
        name,
        text(nature),
        vec((any::<prop::sample::Index>(), drop_in(nature)), 0..5),
        vec(environment_file(nature), 2),
    )
        .prop_map(move |(name, fragment, drop_ins, environment_files)| {
            let (file, directories) = places(&name);
            let mut files = vec![(
                format!("home/alice/.config/systemd/user/{file}"),
                Content::Bytes(bytes(&format!("{}{fragment}", head(nature)))),
            )];
            files.extend(drop_ins.into_iter().map(|(index, (name, content))| {
                (format!("{}/{name}", index.get(&directories)), content)
            }));
            if nature.starts {
                let named = ["1", "2 2"].into_iter().zip(environment_files);
                files.extend(named.map(|(name, text)| {
                    let path = format!("home/alice/env/{number}/{name}");
                    (path, Content::Bytes(bytes(&text)))
                }));
            }
            UnitSet {
                name,
                files: files
                    .into_iter()
                    .map(|(path, content)| (path, numbered(content, number)))
                    .collect(),
            }
        })
}

/// Environment files are named apart.
fn numbered(content: Content, number: usize) -> Content {
    match content {
        Content::Bytes(text) => {
            let marker = b"/env/N/";
            let Some(at) = text.windows(marker.len()).position(|it| it == marker) else {
                return Content::Bytes(text);
            };
            let rest = Content::Bytes(text[at + marker.len()..].to_vec());
            let Content::Bytes(rest) = numbered(rest, number) else {
                unreachable!()
            };
            let named = format!("/env/{number}/");
            Content::Bytes([&text[..at], named.as_bytes(), &rest].concat())
        }
        other => other,
    }
}

fn head(nature: Nature) -> &'static str {
    if nature.starts {
        "[Service]\nType=oneshot\nExecStart=/usr/bin/env -0\nStandardOutput=file:%t/values/%n\n"
    } else {
        "[Service]\nExecStart=/bin/true\n"
    }
}

/// The file name of the fragment, and the directories that its drop-ins may be in.
fn places(name: &str) -> (String, Vec<String>) {
    let roots = [
        "home/alice/.config/systemd/user",
        "home/alice/.config/systemd/user",
        "etc/systemd/user",
        "run/user/1000/systemd/user",
        "home/alice/.local/share/systemd/user",
        "usr/lib/systemd/user",
    ];
    let stem = name.strip_suffix(".service").unwrap();
    let mut stems = vec![stem.to_owned()];
    let mut file = name.to_owned();
    if let Some((prefix, _)) = stem.split_once('@') {
        file = format!("{prefix}@.service");
        stems.push(format!("{prefix}@"));
    }
    if let Some((prefix, _)) = stem.split_once('-') {
        stems.push(format!("{prefix}-"));
    }
    let directories = roots.iter().flat_map(|root| {
        let within = |stem| format!("{root}/{stem}.service.d");
        stems.iter().map(within).collect::<Vec<_>>()
    });
    (file, directories.collect())
}

fn drop_in(nature: Nature) -> impl Strategy<Value = (String, Content)> {
    let name = prop_oneof![
        8 => select(vec!["10-a.conf", "override.conf", "zz-rootless6.conf"]),
        2 => select(vec!["Z.conf", "9.conf", "é.conf", "a b.conf"]),
        1 => select(vec!["a.txt", ".hidden.conf", "a.conf~", "a.conf.bak"]),
    ];
    let content = prop_oneof![
        20 => text(nature).prop_map(|text| Content::Bytes(bytes(&format!("[Service]\n{text}")))),
        3 => text(nature).prop_map(|text| Content::Bytes(bytes(&format!("\u{feff}[Service]\n{text}")))),
        2 => text(nature).prop_map(|text| Content::Bytes(bytes(&text))),
        2 => Just(Content::Masked),
        1 => Just(Content::Bytes(Vec::new())),
        1 => Just(Content::Directory),
    ];
    (name.prop_map(str::to_owned), content)
}

fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for character in text.chars() {
        match character {
            NO_UTF8 => bytes.push(0xff),
            other => bytes.extend(other.to_string().bytes()),
        }
    }
    bytes
}

fn text(nature: Nature) -> BoxedStrategy<String> {
    let ends = prop_oneof![10 => Just("\n"), 3 => Just("\r\n"), 1 => Just("\r"), 1 => Just("\n\n")];
    let last = prop_oneof![5 => Just(""), 1 => Just("\\"), 1 => Just("Environment=C=end")];
    (vec((line(nature), ends), 0..7), last)
        .prop_map(|(lines, last)| {
            let lines = lines.into_iter().map(|(line, end)| line + end);
            lines.collect::<String>() + last
        })
        .boxed()
}

fn line(nature: Nature) -> BoxedStrategy<String> {
    let assigned = |key: &'static str| {
        let sign = prop_oneof![8 => Just("="), 1 => Just(" = "), 1 => Just("=\t")];
        let end = prop_oneof![8 => Just(""), 1 => Just(" "), 1 => Just("\t ")];
        (sign, words(nature), end)
            .prop_map(move |(sign, words, end)| format!("{key}{sign}{words}{end}"))
    };
    let reset = select(vec![
        "Environment=",
        "Environment= ",
        "Environment=\"\"",
        "UnsetEnvironment=",
        "PassEnvironment=",
        "EnvironmentFile=",
    ]);
    let comment = select(vec![
        "# A=1",
        "; A=1",
        "  # A \\",
        "#\\",
        "# \u{f8ff} \u{fffe}",
    ]);
    let mut odd = vec![
        "[service]",
        "[Service",
        "[Ser'vice]",
        "[Service] # why",
        "[Unknown]",
    ];
    if nature.systemd >= 262 {
        // Up to 257 this was a section as good as any.
        odd.push("[]");
    }
    let section = prop_oneof![
        6 => select(vec!["[Service]", " [Service]\t", "[Unit]", "[Install]", "[X-Mine]"]),
        1 => select(odd),
    ];
    let junk = select(vec![
        "nonsense",
        "=A=1",
        "environment=A=junk",
        "Environment A=junk",
        " ",
        "\t",
        "Environment==A=1",
    ]);
    let file = select(vec![
        "EnvironmentFile=/home/alice/env/N/1",
        "EnvironmentFile=-%h/env/N/2 2",
        "EnvironmentFile=-/home/alice/env/N/missing",
        "EnvironmentFile=env/N/1",
        "EnvironmentFile=\"/home/alice/env/N/1\"",
    ]);
    let files = if nature.starts { 8 } else { 1 };
    prop_oneof![
        20 => assigned("Environment"),
        3 => assigned("UnsetEnvironment"),
        1 => assigned("PassEnvironment"),
        3 => reset.prop_map(str::to_owned),
        3 => comment.prop_map(str::to_owned),
        3 => section.prop_map(str::to_owned),
        2 => junk.prop_map(str::to_owned),
        files => file.prop_map(str::to_owned),
    ]
    .boxed()
}

fn words(nature: Nature) -> impl Strategy<Value = String> {
    let separator = prop_oneof![
        8 => select(vec![" ", "  ", "\t"]),
        3 => select(vec![" \\\n", "\\\n   ", " \\\r\n\t", " \\\n# comment\n", "\\\n  ; a=1 \\\n", " \\\n#\\\n ", "\\\n\n"]),
    ];
    (word(nature), vec((separator, word(nature)), 0..4)).prop_map(|(first, rest)| {
        rest.into_iter()
            .fold(first, |words, (separator, word)| words + separator + &word)
    })
}

fn word(nature: Nature) -> impl Strategy<Value = String> {
    (name(), soup(nature), "[a-z0-9/:.-]{0,6}", 0..20_u8).prop_map(|(name, soup, plain, kind)| {
        match kind {
            0..=4 => format!("{name}={plain}"),
            5..=7 => format!("\"{name}={plain} {plain}\""),
            8..=9 => format!("'{name}={plain} \"{plain}'"),
            10..=11 => format!("{name}=\"{plain} x\"{plain}"),
            12..=14 => format!("{name}={soup}"),
            15..=16 => format!("\"{name}={soup}\""),
            17 => format!("'{name}={soup}'"),
            18 => name.to_owned(),
            _ => soup,
        }
    })
}

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        20 => select(vec!["A", "B", "C", "_x", "PATH", "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS"]),
        1 => select(vec!["1A", "A-B", "é", "", "%i", "A%%", "\\x41", "A B"]),
    ]
}

fn soup(nature: Nature) -> impl Strategy<Value = String> {
    let character = select(
        "\\\"'%$ #;\t=nx41u0hiA{}*é😀\u{a0}\u{2028}\u{feff}\u{1}\u{7f}"
            .chars()
            .collect::<Vec<_>>(),
    );
    let fragment = select(vec![
        "\\n",
        "\\t",
        "\\s",
        "\\a",
        "\\x41",
        "\\x25",
        "\\x00",
        "\\x1",
        "\\101",
        "\\1",
        "\\400",
        "\\777",
        "\\u00e9",
        "\\u00E9",
        "\\U0001f600",
        "\\q",
        "\\xff",
        "\\xc3\\xa9",
        "\\\\",
        "\\\"",
        "\\'",
        "\\e",
        "\\ ",
        "\\$",
    ]);
    let specifier = select(vec![
        "%h", "%i", "%%", "%z", "%-", "%%h", "% ", "%é", "%n", "%t/x",
    ]);
    let continued = select(vec!["\\\n", " \\\n# c\n", "\\\r\n", "\\\\\n"]);
    let mut rare = vec![
        "\\ufffe",
        "\u{fffe}",
        "\u{f8ff}",
        "\0",
        "\r",
        "$HOME",
        "${A}",
        "\u{10ffff}",
    ];
    if nature.systemd >= 262 {
        // Up to 257 a surrogate was no unknown escape, but invalid UTF-8.
        rare.push("\\ud800");
    }
    let piece = prop_oneof![
        12 => character.prop_map(String::from),
        4 => fragment.prop_map(str::to_owned),
        2 => specifier.prop_map(str::to_owned),
        1 => continued.prop_map(str::to_owned),
        1 => select(rare).prop_map(str::to_owned),
    ];
    vec(piece, 0..7).prop_map(|pieces| pieces.concat())
}

/// `EnvironmentFile=` has rules of its own.
fn environment_file(nature: Nature) -> BoxedStrategy<String> {
    let piece = prop_oneof![
        12 => select("\\\"'`$ #;\t=nA{}é😀\u{a0}\u{2028}%".chars().collect::<Vec<_>>()).prop_map(String::from),
        4 => select(vec!["\\\n", "\\\r", "\\\r\n", "\\\"", "\\$", "\\q", "'a  b'", "\"a  b\"", "$A", "${A}", "  "]).prop_map(str::to_owned),
    ];
    let rare = prop_oneof![60 => Just(""), 1 => select(vec!["\u{f8ff}", "\0", "\u{fffe}"])];
    let value = (vec(piece, 0..6), rare).prop_map(|(pieces, rare)| pieces.concat() + rare);
    let sign = prop_oneof![8 => Just("="), 1 => Just(" = "), 1 => Just("\u{a0}=")];
    let mut comment = vec!["# A=1", "; B=1", "#"];
    if nature.systemd >= 254 {
        // Before, a backslash at its end made it go on in the next line.
        comment.extend([" # A \\", "#\\"]);
    }
    let line = prop_oneof![
        12 => (name(), sign, value).prop_map(|(name, sign, value)| format!("{name}{sign}{value}")),
        2 => select(comment).prop_map(str::to_owned),
        1 => select(vec!["export A=1", "nonsense", "=x", "", "\u{2003}A=wide", "\u{feff}A=1"]).prop_map(str::to_owned),
    ];
    let ends = prop_oneof![10 => Just("\n"), 2 => Just("\r\n"), 1 => Just("\r")];
    vec((line, ends), 0..6)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect())
        .boxed()
}
