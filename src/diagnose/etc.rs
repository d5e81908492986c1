//! Commands for root that change files below /etc and leave them alone when they come again.
//!
//! Each is one line of its own, so that any number of them can be joined by `&&` as well.

use crate::facts::typed;

/// Adds a line to a file of ours, if it is not there.
pub(super) fn line(file: &str, line: &str) -> String {
    let (file, line) = (typed(file), typed(line));
    format!("grep -qsxF -e {line} {file} || printf '%s\\n' {line} >> {file}")
}

/// Makes a file of others', empty, where there is none.
pub(super) fn existing(file: &str) -> String {
    format!("test -e {file} || install -m 644 /dev/null {file}")
}

/// Ends the last line of a file of others'.
pub(super) fn ended(file: &str) -> String {
    format!("test -z \"$(tail -c 1 {file})\" || echo >> {file}")
}

/// Makes a file of ours that says this, a word for each line.
pub(super) fn file<'a>(path: &str, lines: impl Iterator<Item = &'a str>) -> String {
    let lines: Vec<String> = lines.map(quoted).collect();
    format!("printf '%s\\n' {} > {}", lines.join(" "), typed(path))
}

/// Sets a setting of the kernel's, now and at each boot.
pub(super) fn setting(key: &str, value: &str, file: &str) -> [String; 2] {
    [
        format!("sysctl -w {}", typed(&format!("{key}={value}"))),
        line(file, &format!("{key} = {value}")),
    ]
}

fn quoted(line: &str) -> String {
    format!("'{}'", line.replace('\'', "'\\''"))
}
