//! Echoes from where this process is, told of as they come.

use std::io::{Read, Write};
use std::net::SocketAddrV6;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::net::if_::if_nameindex;
use tokio::sync::mpsc::{Receiver, channel};

use super::Answer;
use crate::ping::{Destination, Pinged, Request, Summary};
use crate::probe::ping::{self, PingEvent, PingRequest};

/// Events that wait for somebody to show them; the prober waits for a terminal that is slower.
const UNSHOWN: usize = 1024;

/// Echoes that are sent by a thread of this process.
#[derive(Debug)]
pub struct Here {
    answers: Receiver<Answer>,
    stop: Arc<AtomicBool>,
}

impl Here {
    /// Begins to send.
    pub fn start(request: Request) -> Self {
        let (sender, answers) = channel(UNSHOWN);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            let asked = || stopped.load(Ordering::Relaxed);
            // Nobody listens any more once the program ends.
            let mut tell = |event| sender.blocking_send(Answer::Event(event)).is_ok();
            let pinged = run(&request, &asked, &mut tell);
            let _ = sender.blocking_send(Answer::Pinged(pinged));
        });
        Self { answers, stop }
    }

    /// The next event, or the answer; none after that.
    pub async fn next(&mut self) -> Option<Answer> {
        self.answers.recv().await
    }

    /// Asks for the answer now.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Sends, prints events as lines, and ends early once standard input has ended: whoever asked has
/// closed it because enough was seen, or is gone.
pub(super) fn serve(request: &Request) -> Pinged {
    let ended = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&ended);
    thread::spawn(move || {
        let mut rest = [0; 64];
        while matches!(std::io::stdin().read(&mut rest), Ok(length) if length > 0) {}
        ends.store(true, Ordering::Relaxed);
    });
    let mut tell = |event| {
        let line = serde_json::to_string(&Answer::Event(event)).unwrap_or_default();
        writeln!(std::io::stdout(), "{line}").is_ok()
    };
    run(request, &|| ended.load(Ordering::Relaxed), &mut tell)
}

/// Sends until all is answered or given up, `stop` says so, or `tell` says that nobody listens.
fn run(
    request: &Request,
    stop: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(PingEvent) -> bool,
) -> Pinged {
    let interfaces = Interface::all();
    let mut places = Vec::new();
    let mut destinations = Vec::new();
    for (place, destination) in request.destinations.iter().enumerate() {
        let Some(address) = socket_address(destination, &interfaces) else {
            return Pinged::NoInterface {
                destination: place,
                interfaces: interfaces.into_iter().map(|known| known.name).collect(),
            };
        };
        // Only scopes can make two of one, for else each is there once.
        if address.scope_id() == 0 || !destinations.contains(&address) {
            places.push(place);
            destinations.push(address);
        }
    }
    let asked = PingRequest {
        destinations,
        count: request.count,
        interval_us: request.interval_us,
        wait_ms: request.wait_ms,
        payload_bytes: request.payload_bytes,
    };
    let unheard = AtomicBool::new(false);
    let mut told = |event: &PingEvent| {
        if request.tells && !tell(at_its_place(event.clone(), &places)) {
            unheard.store(true, Ordering::Relaxed);
        }
    };
    let stop = || stop() || unheard.load(Ordering::Relaxed);
    Pinged::Done(Summary::new(ping::run(&asked, &stop, &mut told), &places))
}

/// The same, about a place in the request rather than among the addresses.
fn at_its_place(mut event: PingEvent, places: &[usize]) -> PingEvent {
    let (PingEvent::Answer { destination, .. }
    | PingEvent::Error { destination, .. }
    | PingEvent::Lost { destination, .. }) = &mut event;
    if let Some(place) = places.get(*destination) {
        *destination = *place;
    }
    event
}

/// A network interface of the netns that this process is in.
#[derive(Debug)]
struct Interface {
    name: String,
    index: u32,
}

impl Interface {
    fn all() -> Vec<Self> {
        let found = if_nameindex();
        let interfaces = found.as_ref().map(nix::net::if_::Interfaces::to_slice);
        let interfaces = interfaces.unwrap_or_default().iter();
        interfaces
            .map(|interface| Self {
                name: interface.name().to_string_lossy().into_owned(),
                index: interface.index(),
            })
            .collect()
    }
}

/// None where a link-local address lacks an interface that is there. A name wins over an index, as
/// with if_nametoindex(3) and getaddrinfo(3).
fn socket_address(destination: &Destination, interfaces: &[Interface]) -> Option<SocketAddrV6> {
    let address = destination.address;
    let scope_id = match &destination.scope {
        None if address.is_unicast_link_local() => return None,
        None => 0,
        Some(scope) => {
            let named = interfaces.iter().find(|known| known.name == *scope);
            let numbered = || {
                let index = scope.parse::<u32>().ok()?;
                interfaces.iter().find(|known| known.index == index)
            };
            named.or_else(numbered)?.index
        }
    };
    Some(SocketAddrV6::new(address, 0, 0, scope_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interfaces() -> Vec<Interface> {
        [("lo", 1), ("tap0", 2), ("3", 4), ("eth0", 3)]
            .map(|(name, index)| Interface {
                name: name.to_owned(),
                index,
            })
            .into()
    }

    #[test]
    fn a_scope_is_the_name_or_else_the_index_of_an_interface_that_is_there() {
        for (address, scope, scope_id) in [
            ("fe80::1", Some("tap0"), Some(2)),
            ("fe80::1", Some("2"), Some(2)),
            ("fe80::1", Some("3"), Some(4)),
            ("fe80::1", Some("eth1"), None),
            ("fe80::1", Some("9"), None),
            ("fe80::1", None, None),
            ("2001:db8::1", None, Some(0)),
            ("::1", None, Some(0)),
        ] {
            let destination = Destination {
                address: address.parse().unwrap(),
                scope: scope.map(str::to_owned),
            };
            let found = socket_address(&destination, &interfaces());
            let found = found.map(|address| address.scope_id());
            assert_eq!(found, scope_id, "{address} {scope:?}");
        }
    }

    #[test]
    fn an_event_is_about_a_place_in_the_request() {
        let lost = |destination| PingEvent::Lost {
            destination,
            sequence: 1,
        };
        assert_eq!(at_its_place(lost(1), &[0, 2]), lost(2));
    }
}
