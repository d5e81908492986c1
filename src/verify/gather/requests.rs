//! What is asked of each vantage point.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use crate::verify::{Targets, observe};

/// About the same targets, with the same control.
pub(super) struct Requests {
    base: observe::Request,
}

impl Requests {
    pub(super) fn new(targets: &Targets) -> Self {
        Self {
            base: observe::Request::about(targets),
        }
    }

    /// Of the host, and of how near the fault is where nothing else answers it.
    pub(super) fn host(&self) -> observe::Request {
        observe::Request {
            gateway: true,
            ..self.base.clone()
        }
    }

    /// Of RootlessKit's netns, where only dockerd asks resolvers.
    pub(super) fn netns(&self) -> observe::Request {
        observe::Request {
            dns: None,
            ..self.base.clone()
        }
    }

    /// Of a new container beside another one.
    pub(super) fn new_container(&self, peer: Option<Ipv6Addr>) -> observe::Request {
        observe::Request {
            fresh_link: true,
            peer,
            ..self.base.clone()
        }
    }

    /// Of a running container, whose resolvers are written in a file below its root directory.
    pub(super) fn running(&self, root: PathBuf) -> observe::Request {
        let mut request = self.base.clone();
        if let Some(dns) = &mut request.dns {
            dns.root = Some(root);
        }
        request
    }
}
