//! Commands for root that change files below /etc and leave them alone when they come again.
//!
//! Each is one line of its own, so that any number of them can be joined by `&&` as well.

use crate::facts::typed;

/// Adds a line to a file of ours, if it is not there.
pub(super) fn line(file: &str, line: &str) -> String {
    let (file, line) = (typed(file), typed(line));
    format!("grep -qsxF -e {line} {file} || printf '%s\\n' {line} >> {file}")
}

/// Adds a line to a file of others', which may not exist, or not end with a line's end.
pub(super) fn line_of_others(file: &str, added: &str) -> Vec<String> {
    vec![
        format!("test -e {file} || install -m 644 /dev/null {file}"),
        format!("test -z \"$(tail -c 1 {file})\" || echo >> {file}"),
        line(file, added),
    ]
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
