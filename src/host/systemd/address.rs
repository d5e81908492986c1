use std::fmt;
use std::path::PathBuf;

use zbus::{Connection, connection};

use super::{ANSWER, private};

/// systemd's name on a bus.
const NAME: &str = "org.freedesktop.systemd1";

/// Where a user's systemd may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Through a bus at a D-Bus address.
    Bus(String),
    /// At its own socket.
    Private(PathBuf),
}

impl Address {
    /// The D-Bus address, of a bus.
    pub fn of_bus(&self) -> Option<&str> {
        match self {
            Self::Bus(address) => Some(address),
            Self::Private(_) => None,
        }
    }

    /// A connection, and systemd's name on it.
    pub(super) async fn connect(&self) -> zbus::Result<(Connection, &'static str)> {
        let (builder, name) = match self {
            Self::Bus(address) => (connection::Builder::address(address.as_str()), NAME),
            Self::Private(path) => (private::connect(path).await?, private::NAME),
        };
        Ok((builder.method_timeout(ANSWER).build().await?, name))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bus(address) => f.write_str(address),
            Self::Private(path) => path.display().fmt(f),
        }
    }
}
