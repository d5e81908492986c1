//! What root has to do about all findings, as one block.

use super::{Cure, Finding};

/// The commands for root against these findings, each once.
pub fn for_root(findings: &[Finding]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for finding in findings {
        if let Cure::Root(commands) = &finding.cure {
            for command in commands {
                if !lines.contains(command) {
                    lines.push(command.clone());
                }
            }
        }
    }
    lines
}
