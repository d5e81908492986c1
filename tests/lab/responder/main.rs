//! A router on the lab's far side that treats packets badly, each destination in its own way.
//!
//! What comes out of the TUN device is delayed, lost or answered, or goes back into it: then the far
//! side's own stack answers, so that echoes and TCP connections are real. See `lab responder`.

#![expect(
    clippy::print_stdout,
    reason = "it tells what it offers, and when it is ready"
)]

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::io;
use std::net::Ipv6Addr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use tun_rs::{DeviceBuilder, Layer, SyncDevice};

mod behaviour;
mod packet;

use behaviour::Behaviour;
use packet::Packet;

const DEVICE: &str = "faulty0";

/// In whose name errors are sent.
const ROUTER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xaa, 0xffff, 0, 0, 0, 1);

/// Duplicate address detection takes between one second and two; a neighbour waits as long.
const HELD: Duration = Duration::from_millis(1200);

/// After so long without a packet a sender is at the beginning again.
const FORGOTTEN: Duration = Duration::from_secs(4);

/// No packet on the lab's wire is larger.
const LARGEST: usize = 65_575;

fn main() -> io::Result<()> {
    if env::args().nth(1).as_deref() == Some("--list") {
        for behaviour in behaviour::ALL {
            println!("{:<22} {behaviour}", behaviour.address().to_string());
        }
        return Ok(());
    }
    let device = DeviceBuilder::new()
        .name(DEVICE)
        .layer(Layer::L3)
        .build_sync()?;
    println!("{DEVICE} is there");
    let (later, due) = channel();
    thread::scope(|scope| {
        let device = &device;
        scope.spawn(move || send_when_due(device, &due));
        let mut router = Router::new();
        let mut buffer = vec![0; LARGEST];
        loop {
            let length = device.recv(&mut buffer)?;
            let Some(packet) = Packet::read(&buffer[..length]) else {
                continue;
            };
            let now = Instant::now();
            for (delay, packet) in router.treat(packet, now) {
                if later.send((now + delay, packet)).is_err() {
                    return Ok(());
                }
            }
        }
    })
}

/// A packet that the kernel does not take is lost, as on any wire.
fn send_when_due(device: &SyncDevice, due: &Receiver<(Instant, Packet)>) {
    let mut waiting: BTreeMap<Instant, Vec<Packet>> = BTreeMap::new();
    loop {
        let now = Instant::now();
        while let Some(first) = waiting.first_entry().filter(|first| *first.key() <= now) {
            for packet in first.remove() {
                let _ = device.send(&packet.0);
            }
        }
        let next = waiting.keys().next().map_or(Duration::MAX, |at| *at - now);
        match due.recv_timeout(next) {
            Ok((at, packet)) => waiting.entry(at).or_default().push(packet),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// What it remembers from one packet to the next.
struct Router {
    dice: u64,
    /// When each sender's first and last packet came.
    senders: HashMap<Ipv6Addr, (Instant, Instant)>,
}

impl Router {
    /// The same packets are lost in each run.
    fn new() -> Self {
        Self {
            dice: 4,
            senders: HashMap::new(),
        }
    }

    /// What to send for it, and how much later.
    fn treat(&mut self, packet: Packet, now: Instant) -> Vec<(Duration, Packet)> {
        use Behaviour as B;
        let echo = packet.is_echo_request();
        let too_long = |bytes: u16| packet.0.len() > usize::from(bytes);
        let code = |code: u16| u8::try_from(code).unwrap_or(0);
        let mut delay = Duration::ZERO;
        let out = match Behaviour::of(packet.destination()) {
            B::Late(milliseconds) => {
                delay = Duration::from_millis(milliseconds.into());
                vec![packet]
            }
            B::HeldAtFirst => {
                delay = self.still_held(packet.source(), now);
                vec![packet]
            }
            B::Lossy(percent) if self.rolls_below(percent) => vec![],
            B::Narrow(bytes) if too_long(bytes) => optional(packet.too_big(ROUTER, bytes)),
            B::BlackHole(bytes) if too_long(bytes) => vec![],
            B::WithoutEcho if echo => vec![],
            B::WithoutTcp if packet.is_tcp() => vec![],
            B::RejectsEcho(with) if echo => optional(packet.unreachable(ROUTER, code(with))),
            B::Rejects(with) => optional(packet.unreachable(ROUTER, code(with))),
            B::WrongPayload if echo => vec![packet.reply().with_another_payload()],
            B::WrongIdentifier if echo => vec![packet.reply().with_another_identifier()],
            B::WrongSource if echo => vec![packet.reply().coming_from(ROUTER)],
            B::Truncated if echo => vec![packet.reply().cut_short()],
            B::Twice if echo => vec![packet.reply(), packet.reply()],
            B::Forges if echo => vec![packet.reply()],
            B::Forges => vec![],
            _ => vec![packet],
        };
        out.into_iter().map(|packet| (delay, packet)).collect()
    }

    fn still_held(&mut self, sender: Ipv6Addr, now: Instant) -> Duration {
        let (first, last) = self.senders.entry(sender).or_insert((now, now));
        if now - *last > FORGOTTEN {
            *first = now;
        }
        *last = now;
        (*first + HELD).saturating_duration_since(now)
    }

    /// Steele, Lea and Flood's SplitMix64.
    fn rolls_below(&mut self, percent: u16) -> bool {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.dice;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ bits >> 31) % 100 < u64::from(percent)
    }
}

fn optional(packet: Option<Packet>) -> Vec<Packet> {
    packet.into_iter().collect()
}
