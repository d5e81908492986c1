//! systemd's own socket, `$XDG_RUNTIME_DIR/systemd/private`: D-Bus from peer to peer, with no bus
//! between, for users whose session has none (Debian without dbus-user-session). `systemctl --user`
//! talks to it too.
//!
//! There is no `Hello` and there are no bus names. systemd all the same writes one as the sender
//! of its messages (systemd:src/core/dbus.c, `sd_bus_set_sender`): its well-known name, where the
//! D-Bus specification allows only unique ones and zbus takes nothing else. So each message passes
//! [`Reader`] on its way in, where that name becomes a unique one.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use nix::unistd::Uid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use zbus::connection::Builder;
use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};
use zbus::export::async_trait::async_trait;

/// The name that systemd has as a sender once its messages have passed [`Reader`].
pub(super) const NAME: &str = ":rg.freedesktop.systemd1";

/// The bytes of a message before its header fields: four of one byte, then the lengths of body and
/// fields and a serial number between (D-Bus specification, "Message Format").
const FIXED: usize = 16;

/// The specification's limit for a message.
const LONGEST: usize = 128 << 20;

/// Connects and authenticates as the user whose process this is; systemd refuses all others.
///
/// # Errors
/// When nobody listens there, or systemd refuses.
pub(super) async fn connect(path: &Path) -> zbus::Result<Builder<'static>> {
    let (read, write) = UnixStream::connect(path).await?.into_split();
    let mut reader = Reader {
        socket: BufReader::new(read),
        message: Vec::new(),
        taken: 0,
    };
    let mut writer = Writer(write);
    let guid = authenticate(&mut reader.socket, &mut writer.0).await?;
    Ok(Builder::authenticated_socket(Halves(reader, writer), guid).p2p())
}

/// Says who calls, in hexadecimal digits, and takes systemd's identity (D-Bus specification,
/// "Authentication Protocol").
async fn authenticate(
    from: &mut BufReader<OwnedReadHalf>,
    to: &mut OwnedWriteHalf,
) -> zbus::Result<String> {
    let user: String = Uid::effective()
        .to_string()
        .bytes()
        .map(|digit| format!("{digit:02x}"))
        .collect();
    to.write_all(format!("\0AUTH EXTERNAL {user}\r\nBEGIN\r\n").as_bytes())
        .await?;
    let mut answer = String::new();
    from.read_line(&mut answer).await?;
    match answer.trim_end().strip_prefix("OK ") {
        Some(guid) => Ok(guid.to_owned()),
        None => Err(zbus::Error::Handshake(format!(
            "systemd answered {answer:?}"
        ))),
    }
}

/// Both directions, apart already.
struct Halves(Reader, Writer);

impl Socket for Halves {
    type ReadHalf = Reader;
    type WriteHalf = Writer;

    fn split(self) -> Split<Reader, Writer> {
        Split::new(self.0, self.1)
    }
}

#[derive(Debug)]
struct Reader {
    socket: BufReader<OwnedReadHalf>,
    /// The message that is being handed on.
    message: Vec<u8>,
    /// How much of it was.
    taken: usize,
}

impl Reader {
    /// The next message, its sender renamed; nothing when systemd has closed the socket.
    async fn receive(&mut self) -> io::Result<Vec<u8>> {
        if self.socket.fill_buf().await?.is_empty() {
            return Ok(Vec::new());
        }
        let mut message = vec![0; FIXED];
        self.socket.read_exact(&mut message).await?;
        let fields = number(&message[12..]).next_multiple_of(8);
        let length = FIXED + fields + number(&message[4..]);
        if length > LONGEST {
            return Err(io::Error::other(
                "systemd's message is longer than D-Bus allows",
            ));
        }
        message.resize(length, 0);
        self.socket.read_exact(&mut message[FIXED..]).await?;
        rename_sender(&mut message[FIXED..FIXED + fields]);
        Ok(message)
    }
}

/// A length; systemd runs on this machine and writes numbers as it does.
fn number(bytes: &[u8]) -> usize {
    bytes.first_chunk().map_or(0, |bytes| {
        (u32::from_ne_bytes(*bytes) as usize).min(LONGEST)
    })
}

/// Makes the sender unique by its first letter, which changes no length. The bytes before the name
/// are those of a header field (code 7, a string) and nothing else: no name, path or signature
/// holds a NUL.
fn rename_sender(fields: &mut [u8]) {
    let mut field = b"\x07\x01s\0".to_vec();
    field.extend(24_u32.to_ne_bytes());
    let name = field.len();
    field.extend(b"org.freedesktop.systemd1\0");
    let found = fields.windows(field.len()).position(|seen| seen == field);
    if let Some(position) = found {
        fields[position + name] = b':';
    }
}

#[async_trait]
impl ReadHalf for Reader {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        if self.taken == self.message.len() {
            self.message = self.receive().await?;
            self.taken = 0;
        }
        let left = &self.message[self.taken..];
        let length = left.len().min(buffer.len());
        buffer[..length].copy_from_slice(&left[..length]);
        self.taken += length;
        Ok((length, Vec::new()))
    }
}

#[derive(Debug)]
struct Writer(OwnedWriteHalf);

#[async_trait]
impl WriteHalf for Writer {
    /// No call of ours passes a file descriptor.
    async fn sendmsg(&mut self, bytes: &[u8], _: &[BorrowedFd<'_>]) -> io::Result<usize> {
        self.0.write(bytes).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}

#[cfg(test)]
mod tests {
    use zbus::message::Message;

    use super::*;

    #[test]
    fn systemd_as_a_sender_gets_a_name_that_zbus_takes() {
        let message = Message::signal("/", "org.example.Test", "Test")
            .sender(NAME)
            .build(&("org.freedesktop.systemd1",))
            .unwrap();
        let as_zbus_has_it = message.data().to_vec();
        let text = String::from_utf8_lossy(&as_zbus_has_it);
        let position = text.find(NAME).unwrap();
        let mut as_systemd_has_it = as_zbus_has_it.clone();
        as_systemd_has_it[position] = b'o';
        let mut renamed = as_systemd_has_it.clone();
        let body = renamed.len() - number(&renamed[4..]);
        rename_sender(&mut renamed[FIXED..body]);
        assert_eq!(renamed, as_zbus_has_it);
    }

    #[test]
    fn other_senders_keep_their_names() {
        let mut fields = b"\x07\x01s\0\x04\0\0\0:1.2\0".to_vec();
        let before = fields.clone();
        rename_sender(&mut fields);
        assert_eq!(fields, before);
    }
}
