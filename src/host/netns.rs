//! Other network namespaces, entered by a child process that is this program again.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::error::{Doing, Error, Exit, Result};
use crate::hostile::plain;
use crate::vantage::{self, Answer, Request};

/// Bytes: a panic's message fits.
const LONGEST_LAST_WORDS: u64 = 4096;

/// Starts this program again as the vantage point and reads its one answer.
///
/// # Errors
/// When the namespaces cannot be joined, or no answer comes by the deadline.
pub async fn ask(request: &Request, deadline: Duration) -> Result<Answer> {
    let asking = async {
        let mut conversation = Conversation::begin(request).await?;
        conversation.stop();
        let answer = conversation.next().await;
        // Else it would be a zombie for as long as this process lives.
        let _ = conversation.process.wait().await;
        answer
    };
    match timeout(deadline, asking).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::cannot(Exit::Bad, "hear from the vantage point")
            .caused_by(format!("no answer within {} s", deadline.as_secs()))),
    }
}

/// A vantage point that may tell of what happens before it answers. It ends when this is dropped.
#[derive(Debug)]
pub struct Conversation {
    process: Child,
    /// Open as long as it shall go on.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// What has come of the next line.
    line: Vec<u8>,
}

impl Conversation {
    /// Starts this program again as the vantage point.
    ///
    /// `/proc/self/exe` rather than a path: it works after the file was replaced by an upgrade.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn begin(request: &Request) -> Result<Self> {
        Self::start(request, |command| command.kill_on_drop(true)).await
    }

    /// The same for one that has to clear up behind itself: it is in a process group of its own, so that
    /// no key of the terminal's ends it, and does not end when this is dropped, but when its standard
    /// input does.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn begin_apart(request: &Request) -> Result<Self> {
        Self::start(request, |command| command.process_group(0)).await
    }

    async fn start(
        request: &Request,
        prepare: impl Fn(&mut Command) -> &mut Command,
    ) -> Result<Self> {
        let doing = || "start the vantage point";
        let mut json =
            serde_json::to_string(request).doing(|| "write the request to the vantage point")?;
        tracing::info!("start a vantage point: {json}");
        json.push('\n');
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("rootless6")
            .arg(vantage::COMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = prepare(&mut command).spawn().doing(doing)?;
        let (Some(mut stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(Error::cannot(Exit::Bad, doing()));
        };
        // Where it has died already, its silence and its last words are told instead.
        let _ = stdin.write_all(json.as_bytes()).await;
        Ok(Self {
            process,
            stdin: Some(stdin),
            stdout: BufReader::new(stdout),
            line: Vec::new(),
        })
    }

    /// The next event, or the answer. May be given up and called again.
    ///
    /// # Errors
    /// When the answer is that the task failed, or none comes any more.
    pub async fn next(&mut self) -> Result<Answer> {
        let longest = vantage::LONGEST_ANSWER;
        let line = next_line(&mut self.stdout, &mut self.line, longest).await;
        match line.doing(|| "hear from the vantage point")? {
            Some(line) => match vantage::read_answer(&line) {
                Ok(answer) => Ok(answer),
                Err(error) => Err(self.last_words(error).await),
            },
            None => {
                let error = Error::new(Exit::Bad, "the vantage point ended without an answer");
                let error = match self.process.wait().await {
                    Ok(status) if !status.success() => error.caused_by(status),
                    _ => error,
                };
                Err(self.last_words(error).await)
            }
        }
    }

    /// Asks for the answer now.
    pub fn stop(&mut self) {
        self.stdin = None;
    }

    /// Waits until it has ended, which it is asked to do.
    pub async fn end(mut self) {
        self.stop();
        let _ = self.process.wait().await;
    }

    async fn last_words(&mut self, error: Error) -> Error {
        self.stop();
        let mut said = Vec::new();
        if let Some(stderr) = self.process.stderr.take() {
            let _ = stderr.take(LONGEST_LAST_WORDS).read_to_end(&mut said).await;
        }
        match String::from_utf8_lossy(&said).trim() {
            "" => error,
            said => error.caused_by(plain(said)),
        }
    }
}

/// The next line, or one byte more than `longest` of it. `line` holds what has come when this is given
/// up.
async fn next_line(
    from: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
    longest: usize,
) -> io::Result<Option<Vec<u8>>> {
    let left = (longest + 1).saturating_sub(line.len()) as u64;
    from.take(left).read_until(b'\n', line).await?;
    let line = std::mem::take(line);
    Ok((!line.is_empty()).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_without_end_is_not_read_to_its_end() {
        let mut from = &b"first\nsecond, and more\n"[..];
        let mut line = Vec::new();
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut from, &mut line, 9).await.unwrap() {
            lines.push(String::from_utf8(line).unwrap());
        }
        assert_eq!(lines, ["first\n", "second, an", "d more\n"]);
    }
}
