//! The text of our own drop-in, quoted so that systemd reads back exactly what was meant.

use std::path::{Path, PathBuf};

use super::environment::is_name;
use super::{is_unsafe, is_utf8_for_systemd};

const HEADER: &str = include_str!("../../../templates/zz-rootless6.conf");

/// When systemd runs a command, relative to the start of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// `ExecStartPre=`
    BeforeStart,
    /// `ExecStartPost=`
    AfterStart,
}

/// A command in words. Rendered with the prefix `-`: its failure, or its absence, never stops the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    pub when: When,
    /// Absolute path of the program.
    pub program: &'a Path,
    pub arguments: &'a [&'a str],
}

/// Something that no quoting can put into a unit file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error("`{0}` is not the name of an environment variable")]
    Name(String),
    #[error("`{0}` is set twice")]
    Twice(String),
    #[error("the value of `{0}` contains a NUL or a code point that systemd does not take")]
    Value(String),
    #[error(
        "systemd cannot run {0:?}: the path must be absolute, UTF-8, and free of quotes, backslashes, `*`, `?`, `[`, control characters and a blank at its end"
    )]
    Program(PathBuf),
    #[error("the argument {0:?} contains a NUL or a code point that systemd does not take")]
    Argument(String),
}

/// The text of `zz-rootless6.conf`: variables in the order given, then the commands.
pub fn render(variables: &[(&str, &str)], commands: &[Command<'_>]) -> Result<String, RenderError> {
    let mut text = format!("{HEADER}[Service]\n");
    for (index, (name, value)) in variables.iter().enumerate() {
        if !is_name(name) {
            return Err(RenderError::Name((*name).to_owned()));
        }
        if variables[..index]
            .iter()
            .any(|(earlier, _)| earlier == name)
        {
            return Err(RenderError::Twice((*name).to_owned()));
        }
        if !is_representable(value) {
            return Err(RenderError::Value((*name).to_owned()));
        }
        text.push_str(&format!("Environment=\"{name}={}\"\n", escape(value)));
    }
    for command in commands {
        let key = match command.when {
            When::BeforeStart => "ExecStartPre",
            When::AfterStart => "ExecStartPost",
        };
        text.push_str(&format!("{key}=-{}\n", command_line(command)?));
    }
    Ok(text)
}

fn is_representable(value: &str) -> bool {
    !value.contains('\0') && is_utf8_for_systemd(value)
}

/// For the inside of double quotes. The line must stay one line, and `%` starts a specifier even in quotes.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' | '"' => escaped.extend(['\\', character]),
            '%' => escaped.push_str("%%"),
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            '\r' => escaped.push_str("\\r"),
            _ if character.is_ascii_control() => {
                escaped.push_str(&format!("\\x{:02x}", u32::from(character)))
            }
            _ if character.is_control() => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(character)))
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// systemd:src/core/load-fragment.c `config_parse_exec`. Variables are expanded in arguments (`$$` is a dollar sign) but
/// not in the path, where a dollar sign stands for itself.
fn command_line(command: &Command<'_>) -> Result<String, RenderError> {
    let runnable = |program: &&str| {
        program.starts_with('/')
            // systemd 257 looks for it without the blank at its end.
            && !program.ends_with(['/', ' '])
            && !program.chars().any(is_unsafe)
            && is_representable(program)
    };
    let Some(program) = command.program.to_str().filter(runnable) else {
        return Err(RenderError::Program(command.program.to_owned()));
    };
    let mut line = quote(program);
    for argument in command.arguments {
        if !is_representable(argument) {
            return Err(RenderError::Argument((*argument).to_owned()));
        }
        line.push(' ');
        line.push_str(&quote(&argument.replace('$', "$$")));
    }
    Ok(line)
}

/// Bare where nothing can be misread, else in double quotes; a bare `;` would start another command.
fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("\"{}\"", escape(word))
}
