//! What changes in the host's IPv6, as the kernel tells it.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use rtnetlink::{MulticastGroup, new_multicast_connection};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{Doing, Error, Exit, Result};

/// An interface that comes up or goes down brings a dozen messages within milliseconds.
const QUIET: Duration = Duration::from_millis(100);

/// Where messages never end, every so often is soon enough.
const LONGEST_BURST: Duration = Duration::from_secs(1);

/// Interfaces too: the routes of one that goes down may go without a word
/// (`net.ipv6.route.skip_notify_on_dev_down`).
const GROUPS: [MulticastGroup; 3] = [
    MulticastGroup::Link,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv6Route,
];

/// An open ear for changes of interfaces, IPv6 addresses and routes in the current network
/// namespace.
pub struct Changes {
    messages: BoxStream<'static, ()>,
}

impl Changes {
    /// Begins to listen: what changes from now on is heard.
    ///
    /// # Errors
    /// When the kernel gives no socket.
    pub fn listen() -> Result<Self> {
        Self::of(&GROUPS)
    }

    /// The same for addresses and for what is found out about neighbours.
    ///
    /// # Errors
    /// When the kernel gives no socket.
    pub fn of_neighbours() -> Result<Self> {
        Self::of(&[MulticastGroup::Ipv6Ifaddr, MulticastGroup::Neigh])
    }

    fn of(groups: &[MulticastGroup]) -> Result<Self> {
        let (connection, _, messages) =
            new_multicast_connection(groups).doing(|| "listen to changes of the network")?;
        tokio::spawn(connection);
        Ok(Self {
            messages: messages.map(|_| ()).boxed(),
        })
    }

    /// Waits for a single change, but not longer than until then.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn next(&mut self, until: Instant) -> Result<()> {
        match timeout_at(until, self.messages.next()).await {
            Ok(None) => Err(Error::new(Exit::Bad, "the netlink socket was closed")),
            Ok(Some(())) | Err(_) => Ok(()),
        }
    }

    /// Waits for a change, and until no more come.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn settled(&mut self) -> Result<()> {
        if self.messages.next().await.is_none() {
            return Err(Error::new(Exit::Bad, "the netlink socket was closed"));
        }
        let longest = Instant::now() + LONGEST_BURST;
        let until_quiet =
            async { while let Ok(Some(())) = timeout(QUIET, self.messages.next()).await {} };
        // Too many is as good as enough.
        let _ = timeout_at(longest, until_quiet).await;
        Ok(())
    }
}
