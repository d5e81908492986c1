//! Questions to name servers: over UDP to one after the other, over TCP what does not fit.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::DnsAnswer;
use super::message::{Question, Said, decode, encode};
use super::name::Name;
use super::resolv_conf::Server;
use super::wire::{begin, is_unreachable, over_tcp, readable, why};

/// Until the next server is asked too, or the only one again: long for a resolver that knows the
/// answer, short enough for several losses within a run. Earlier questions stay open.
const GAP: Duration = Duration::from_millis(300);
/// A server that refuses is asked once more, after `GAP`: it may be starting.
const REFUSALS: usize = 2;
/// A resolver that is alive takes a connection within this.
const TCP_PATIENCE: Duration = Duration::from_secs(1);
/// The longest datagram; more than 512 bytes are not asked for, but may come.
const LONGEST: usize = 65_535;

/// Asks the servers in their order, and again, until the deadline.
pub(super) struct Asker {
    servers: Vec<Server>,
    start: Instant,
    /// Counted from the start.
    pub deadline: Duration,
    /// Questions sent and answers received.
    pub sent: u32,
    pub received: u32,
    pub last_asked: Option<IpAddr>,
}

/// What came of one question.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    pub answer: DnsAnswer,
    /// Of an address.
    pub name: Option<Name>,
    pub server: Option<IpAddr>,
    pub round_trip: Option<Duration>,
    asked: bool,
    refusals: usize,
    /// Nothing better can come.
    is_final: bool,
}

/// A question under way to one server. Its socket takes datagrams from that server alone, and its
/// port is the kernel's to choose (RFC 5452 section 9.2).
struct Open {
    socket: UdpSocket,
    question: usize,
    id: u16,
    server: SocketAddr,
    sent_at: Duration,
}

impl Asker {
    pub(super) fn new(servers: Vec<Server>, deadline: Duration) -> Self {
        Self {
            servers,
            start: Instant::now(),
            deadline,
            sent: 0,
            received: 0,
            last_asked: None,
        }
    }

    /// Asks all questions at once; ends when all are answered, when what was heard is enough, when
    /// every server has refused often enough, or at `until`. In the order of the questions.
    pub(super) fn ask(
        &mut self,
        questions: &[Question],
        until: Duration,
        is_enough: impl Fn(&[Heard]) -> bool,
    ) -> Vec<Heard> {
        let mut heard = vec![Heard::default(); questions.len()];
        let mut open: Vec<Open> = Vec::new();
        let mut next_at = Duration::ZERO;
        let most_refusals = REFUSALS * self.servers.len();
        let is_over = |heard: &Heard| heard.is_final || heard.refusals >= most_refusals;
        let servers = self.servers.clone();
        let mut again_at = vec![Duration::ZERO; servers.len()];
        for (index, server) in servers.iter().enumerate().cycle() {
            // Who has refused is not waited for, but not asked again at once either.
            let waits_until = |heard: &[Heard], open: &[Open]| {
                let mut waiting = (0..heard.len()).filter(|question| !heard[*question].is_final);
                if waiting.any(|question| open.iter().any(|open| open.question == question)) {
                    next_at.min(until)
                } else if heard.iter().all(is_over) {
                    Duration::ZERO
                } else {
                    again_at[index].min(until)
                }
            };
            while !is_enough(&heard) && self.now() < waits_until(&heard, &open) {
                let until = waits_until(&heard, &open);
                self.listen(questions, &mut open, &mut heard, until);
            }
            if self.now() >= until || is_enough(&heard) || heard.iter().all(is_over) {
                break;
            }
            next_at = self.now() + GAP;
            again_at[index] = next_at;
            for (place, question) in questions.iter().enumerate() {
                if !is_over(&heard[place]) {
                    self.send(server, place, question, &mut open, &mut heard[place]);
                }
            }
        }
        for heard in &mut heard {
            heard.close();
        }
        heard
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn send(
        &mut self,
        server: &Server,
        place: usize,
        question: &Question,
        open: &mut Vec<Open>,
        heard: &mut Heard,
    ) {
        self.last_asked = Some(server.address);
        let sent_at = self.now();
        match begin(server, question) {
            Ok((socket, id, server)) => {
                self.sent += 1;
                heard.asked = true;
                open.push(Open {
                    socket,
                    question: place,
                    id,
                    server,
                    sent_at,
                });
            }
            Err(error) => heard.failed(server.address, &error),
        }
    }

    /// Waits for answers until then, and takes in those that there are.
    fn listen(
        &mut self,
        questions: &[Question],
        open: &mut Vec<Open>,
        heard: &mut [Heard],
        until: Duration,
    ) {
        let ready = readable(
            open.iter().map(|one| &one.socket),
            until.saturating_sub(self.now()),
        );
        let mut ready = ready.into_iter();
        let (answered, waiting): (Vec<_>, Vec<_>) = std::mem::take(open)
            .into_iter()
            .partition(|_| ready.next().unwrap_or(false));
        *open = waiting;
        for one in answered {
            let heard = &mut heard[one.question];
            if heard.is_final {
                continue;
            }
            let question = &questions[one.question];
            let mut buffer = vec![0; LONGEST];
            let said = match one.socket.recv(&mut buffer) {
                Ok(length) => decode(one.id, question, &buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(error) => {
                    heard.failed(one.server.ip(), &error);
                    continue;
                }
            };
            // What is no answer to the question leaves it open.
            let Some(said) = said else {
                open.push(one);
                continue;
            };
            self.received += 1;
            let said = match said {
                Said::Truncated => self.ask_again(&one, question),
                said => Ok(said),
            };
            match said {
                Ok(said) => heard.said(said, one.server.ip(), self.now() - one.sent_at),
                Err(error) => heard.failed(one.server.ip(), &error),
            }
        }
    }

    /// The same question over TCP (RFC 7766).
    fn ask_again(&mut self, one: &Open, question: &Question) -> io::Result<Said> {
        self.sent += 1;
        let until = Instant::now() + TCP_PATIENCE.min(self.deadline.saturating_sub(self.now()));
        let answer = over_tcp(one.server, &encode(one.id, question), until)?;
        let said = decode(one.id, question, &answer);
        let said = said.ok_or(io::ErrorKind::InvalidData)?;
        self.received += 1;
        Ok(said)
    }
}

impl Heard {
    fn said(&mut self, said: Said, server: IpAddr, round_trip: Duration) {
        let answer = match said {
            Said::Addresses(addresses) => DnsAnswer::Addresses(addresses),
            Said::NoRecords => DnsAnswer::NoRecords,
            Said::NoSuchName => DnsAnswer::NoSuchName,
            Said::Name(name) => {
                self.name = Some(name);
                DnsAnswer::NotAsked
            }
            Said::Truncated => {
                return self.refused(DnsAnswer::Refused(
                    "an answer cut short over TCP".to_owned(),
                ));
            }
            Said::Refused(why) => return self.refused(DnsAnswer::Refused(why)),
        };
        *self = Self {
            answer,
            server: Some(server),
            round_trip: Some(round_trip),
            is_final: true,
            ..self.clone()
        };
    }

    /// Nothing more is waited for.
    fn close(&mut self) {
        if !self.is_final && self.asked && self.answer == DnsAnswer::NotAsked {
            self.answer = DnsAnswer::Silent;
        }
    }

    fn failed(&mut self, server: IpAddr, error: &io::Error) {
        let why = why(error);
        self.refused(if is_unreachable(error) {
            DnsAnswer::Unreachable(format!("{server}: {why}"))
        } else {
            DnsAnswer::Failed(format!("ask {server}: {why}"))
        });
    }

    /// What a resolver says tells more than that another is not reached, and that more than that one
    /// cannot be asked.
    fn refused(&mut self, answer: DnsAnswer) {
        use DnsAnswer::{Failed, Refused, Unreachable};
        self.refusals += 1;
        let tells_less = matches!(
            (&self.answer, &answer),
            (Refused(_), _) | (Unreachable(_), Failed(_))
        );
        if !tells_less {
            self.answer = answer;
        }
    }
}
