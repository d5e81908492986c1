//! What root has to do about all findings, as one block for `sudo sh -eu`.
//!
//! To run it once more changes nothing. Its lines come from here and from there, so each finding's
//! stand apart, under a comment with its code, and what several of them install is installed at once.

use super::packages::Manager;
use super::{Code, Cure, Finding};

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

    /// Packages first: what follows may need what they bring.
    fn lines(self) -> Vec<String> {
        let mut lines = Vec::new();
        for (manager, packages, codes) in &self.packages {
            let codes: Vec<&str> = codes.iter().map(|code| code.name()).collect();
            let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
            lines.push(format!("# {}", codes.join(", ")));
            lines.push(manager.install(&packages));
        }
        for (code, own) in self.rest {
            if own.is_empty() {
                lines.push(format!(
                    "# {code}: left out, for a name has control characters"
                ));
                continue;
            }
            lines.push(format!("# {code}"));
            lines.extend(own);
        }
        lines
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
            "# pasta-missing, newuidmap-missing",
            "dnf install -y passt shadow-utils </dev/null",
            "# no-linger",
            "one",
            "two",
            "# tun-unavailable",
            "three",
            "# stale-address: left out, for a name has control characters",
        ];
        assert_eq!(block, expected);
        assert!(for_root(&[]).is_empty());
    }
}
