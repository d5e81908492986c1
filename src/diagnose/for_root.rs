//! What root has to do about all findings, as one block for `sudo sh -eu`.
//!
//! To run it once more changes nothing. Its lines come from here and from there, so each finding's
//! stand apart, under a comment with its code, and what several of them install is installed at once.
//! What fails for one finding ends what is done about that one and no other; the whole has failed then.

use super::packages::Manager;
use super::{Code, Cure, Finding};

/// Before the parts, where there are several. A subshell whose end somebody asks for with `||` would go on
/// after a line that fails, whatever `set -e` says (POSIX: set): so each is on its own, and tells.
const BEFORE: [&str; 2] = [
    "set +e; failed=0",
    "ended() { test \"$1\" = 0 || { echo \"rootless6: failed: $2\" >&2; failed=1; }; }",
];

/// The commands for root against these findings, each once.
pub fn for_root(findings: &[Finding]) -> Vec<String> {
    let mut block = Block::default();
    for finding in findings {
        if let Cure::Root(lines) = &finding.cure {
            block.add(finding.code, lines);
        }
    }
    block.lines()
}

/// Those against one finding, without a word about what they are for: `&&` may join them.
pub(super) fn of_one(code: Code, lines: &[String]) -> Vec<String> {
    let mut block = Block::default();
    block.add(code, lines);
    let parts = block.parts().into_iter();
    parts.flat_map(|(_, lines)| lines).collect()
}

#[derive(Default)]
struct Block {
    /// Packages, and the findings that they are against.
    packages: Vec<(Manager, Vec<String>, Vec<Code>)>,
    rest: Vec<(Code, Vec<String>)>,
}

impl Block {
    fn add(&mut self, code: Code, lines: &[String]) {
        // No name may end the block early, nor hide from whoever reads it.
        if lines.iter().any(|line| line.contains(char::is_control)) {
            self.rest.push((code, Vec::new()));
            return;
        }
        let mut own = Vec::new();
        for line in lines {
            match Manager::packages_in(line) {
                Some((manager, packages)) => self.install(manager, &packages, code),
                None if self.knows(line) => {}
                None => own.push(line.clone()),
            }
        }
        if !own.is_empty() {
            self.rest.push((code, own));
        }
    }

    fn knows(&self, line: &String) -> bool {
        self.rest.iter().any(|(_, lines)| lines.contains(line))
    }

    fn install(&mut self, manager: Manager, packages: &[&str], code: Code) {
        let known = self.packages.iter().position(|known| known.0 == manager);
        let place = known.unwrap_or_else(|| {
            self.packages.push((manager, Vec::new(), Vec::new()));
            self.packages.len() - 1
        });
        let (_, all, codes) = &mut self.packages[place];
        let new = packages
            .iter()
            .filter(|package| !all.iter().any(|known| known == *package));
        let new: Vec<String> = new.map(|&package| package.to_owned()).collect();
        all.extend(new);
        if !codes.contains(&code) {
            codes.push(code);
        }
    }

    /// What is done, and the codes that it is against. Packages first: what follows may need what they
    /// bring.
    fn parts(self) -> Vec<(String, Vec<String>)> {
        let packages = self.packages.into_iter().map(|(manager, packages, codes)| {
            let codes: Vec<&str> = codes.iter().map(|code| code.name()).collect();
            let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
            (codes.join(", "), vec![manager.install(&packages)])
        });
        let rest = self.rest.into_iter();
        let rest = rest.map(|(code, own)| (code.to_string(), own));
        packages.chain(rest).collect()
    }

    fn lines(self) -> Vec<String> {
        let parts = self.parts();
        let is_alone = parts.iter().filter(|(_, lines)| !lines.is_empty()).count() < 2;
        let mut all = Vec::new();
        if !is_alone {
            all.extend(BEFORE.map(str::to_owned));
        }
        for (codes, lines) in parts {
            if lines.is_empty() {
                all.push(format!(
                    "# {codes}: left out, for a name has control characters"
                ));
                continue;
            }
            all.push(format!("# {codes}"));
            if is_alone {
                all.extend(lines);
                continue;
            }
            all.push("(set -e".to_owned());
            all.extend(lines);
            all.push(format!("); ended $? '{codes}'"));
        }
        if !is_alone {
            all.push("exit \"$failed\"".to_owned());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::Severity;

    fn finding(code: Code, lines: &[&str]) -> Finding {
        let lines = lines.iter().map(|&line| line.to_owned()).collect();
        Finding::new(code, Severity::Broken, "", Cure::Root(lines))
    }

    #[test]
    fn packages_come_first_and_together_and_each_line_once() {
        let passt = Manager::Dnf.install(&["passt"]);
        let shadow = Manager::Dnf.install(&["shadow-utils"]);
        let block = for_root(&[
            finding(Code::NoLinger, &["one", "two"]),
            finding(Code::PastaMissing, &[&passt]),
            finding(Code::TunUnavailable, &["two", "three"]),
            finding(Code::NewuidmapMissing, &[&shadow, &passt]),
            finding(Code::MtuTrap, &["two"]),
            finding(Code::StaleAddress, &["an\nEOF\nodd name"]),
        ]);
        let expected = [
            BEFORE[0],
            BEFORE[1],
            "# pasta-missing, newuidmap-missing",
            "(set -e",
            "dnf install -y passt shadow-utils </dev/null",
            "); ended $? 'pasta-missing, newuidmap-missing'",
            "# no-linger",
            "(set -e",
            "one",
            "two",
            "); ended $? 'no-linger'",
            "# tun-unavailable",
            "(set -e",
            "three",
            "); ended $? 'tun-unavailable'",
            "# stale-address: left out, for a name has control characters",
            "exit \"$failed\"",
        ];
        assert_eq!(block, expected);
        assert!(for_root(&[]).is_empty());
    }

    #[test]
    fn one_alone_needs_nothing_about_it() {
        let lines = ["one", "two"].map(str::to_owned);
        let finding = finding(Code::NoLinger, &["one", "two"]);
        assert_eq!(for_root(&[finding]), ["# no-linger", "one", "two"]);
        assert_eq!(of_one(Code::NoLinger, &lines), lines);
        assert!(of_one(Code::NoLinger, &["a\nb".to_owned()]).is_empty());
    }
}
