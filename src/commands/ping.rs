//! `ping`: echo requests from this host, RootlessKit's netns or any running container.

use std::pin::pin;
use std::time::Duration;

use crate::cli::{Global, Ping};
use crate::diagnose::ALLOW_PING;
use crate::error::{Error, Exit, Result};
use crate::host::netns::Conversation;
use crate::host::process;
use crate::ping::{From, Pinged, Request, Summary, Target};
use crate::probe::PING_GROUP_RANGE;
use crate::report::{Report, human, json};
use crate::ui::Ui;
use crate::vantage::ping::Here;
use crate::vantage::{self, Task};

mod listen;
mod targets;
mod way_in;

use listen::{Heard, Screen, Source, listen};

/// With more targets, each is told of in one line at the end.
const WATCHED: usize = 8;

/// Between two echo requests to a target when nobody says how many there shall be.
const PACE: Duration = Duration::from_secs(1);

/// Runs the command.
pub async fn run(arguments: &Ping, global: &Global, ui: Ui) -> Report {
    process::hold_signals();
    let mut interrupted = pin!(process::interrupted());
    let pinged = async {
        let prepared = tokio::select! {
            prepared = prepare(arguments, global, ui) => prepared,
            () = &mut interrupted => Err(Error::new(Exit::Interrupted, "interrupted")),
        };
        let (targets, source) = prepared?;
        let screen = Screen::new(&arguments.from, &targets, arguments.wait, ui);
        let heard = listen(source, interrupted, screen).await?;
        judge(&arguments.from, &targets, heard, ui)
    };
    match pinged.await {
        Ok(report) => report,
        // Nothing was to be applied.
        Err(error) if error.exit == Exit::NotApplied => {
            Report::failed("ping", error.exiting(Exit::Bad))
        }
        Err(error) => Report::failed("ping", error),
    }
}

async fn prepare(arguments: &Ping, global: &Global, ui: Ui) -> Result<(Vec<Target>, Source)> {
    let targets = targets::resolve(&arguments.targets, &arguments.from).await?;
    let request = Request {
        tells: targets.len() <= WATCHED && !ui.json && !ui.quiet,
        ..request(arguments, &targets)
    };
    let join = match &arguments.from {
        From::Host => return Ok((targets, Source::Here(Here::start(request)))),
        From::Netns => way_in::netns(global).await?,
        From::Container(name) => way_in::container(name, global).await?,
    };
    let asked = vantage::Request {
        join: Some(join),
        task: Task::Ping(request),
    };
    let there = Box::new(Conversation::begin(&asked).await?);
    Ok((targets, Source::There(there)))
}

fn request(arguments: &Ping, targets: &[Target]) -> Request {
    let endless = arguments.count == 0;
    let interval = arguments.interval.or(endless.then_some(PACE));
    let micros = |interval: Duration| u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
    let destinations = targets.iter().map(|target| target.destination.clone());
    Request {
        destinations: destinations.collect(),
        count: (!endless).then_some(arguments.count),
        interval_us: interval.map(micros),
        wait_ms: u64::try_from(arguments.wait.as_millis()).unwrap_or(u64::MAX),
        payload_bytes: arguments.size,
        tells: false,
    }
}

/// The exit status is about the answers, as with ping(8): one that was interrupted after all have
/// answered has ended well.
fn judge(from: &From, targets: &[Target], heard: Heard, ui: Ui) -> Result<Report> {
    let summary = match heard.pinged {
        Pinged::Done(summary) => summary,
        Pinged::NoInterface {
            destination,
            interfaces,
        } => {
            let target = targets.get(destination).or(targets.first());
            return Err(targets::no_interface(target, from, &interfaces));
        }
    };
    let well = summary.all_answered();
    let cut_short = heard.interrupted && !well;
    if summary.socket.is_none() && !cut_short {
        return Err(no_socket(from, &summary));
    }
    let exit = if well { Exit::Well } else { Exit::Bad };
    // With many targets the one that nobody sees would take most of the time and memory.
    let report = if ui.json {
        let body = json::pinged(from, targets, &summary, heard.interrupted);
        Report::new("ping", exit, String::new(), body)
    } else {
        let text = human::pinged(targets, &summary, heard.shown);
        Report::new("ping", exit, text, serde_json::Map::new())
    };
    if cut_short {
        let why = "interrupted before every target had answered";
        return Ok(report.with(Error::new(Exit::Interrupted, why)));
    }
    Ok(report)
}

fn no_socket(from: &From, summary: &Summary) -> Error {
    // Where there is no IPv6 at all, no group makes a difference.
    let is_forbidden = summary
        .socket_notes
        .iter()
        .any(|note| note.contains(PING_GROUP_RANGE));
    let exit = match from {
        From::Host if is_forbidden => Exit::Blocked,
        _ => Exit::Bad,
    };
    let error = Error::new(
        exit,
        "the kernel gives no socket to send echo requests from",
    );
    let mut error = summary.socket_notes.iter().fold(error, Error::caused_by);
    if exit == Exit::Blocked {
        error.needs_root = ALLOW_PING.iter().map(|&line| line.to_owned()).collect();
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::ping::Destination;

    fn asked(line: &str) -> Request {
        let words = ["rootless6", "ping"].into_iter().chain(line.split(' '));
        let Command::Ping(arguments) = Cli::parse_from(words).command else {
            panic!("{line} is no ping");
        };
        let destination = Destination {
            address: "::1".parse().unwrap(),
            scope: None,
        };
        let target = Target {
            destination,
            names: Vec::new(),
        };
        request(&arguments, &[target])
    }

    #[test]
    fn five_echoes_one_after_the_other_unless_told_otherwise() {
        let plain = asked("::1");
        assert_eq!((plain.count, plain.interval_us), (Some(5), None));
        assert_eq!((plain.wait_ms, plain.payload_bytes), (1000, 56));
        let paced = asked("-c 3 -i 0.2 -W 2.5 -s 1000 ::1");
        assert_eq!((paced.count, paced.interval_us), (Some(3), Some(200_000)));
        assert_eq!((paced.wait_ms, paced.payload_bytes), (2500, 1000));
    }

    #[test]
    fn only_a_group_that_may_not_is_given_a_cure() {
        let summary = |datagram: &str| Summary {
            socket_notes: vec![
                "raw: operation not permitted".to_owned(),
                datagram.to_owned(),
            ],
            ..Summary::default()
        };
        let excluded = format!("datagram: permission denied ({PING_GROUP_RANGE} excludes it)");
        let error = no_socket(&From::Host, &summary(&excluded));
        assert_eq!(
            (error.exit, error.needs_root.is_empty()),
            (Exit::Blocked, false)
        );
        let without_ipv6 = "datagram: address family not supported by protocol";
        let error = no_socket(&From::Host, &summary(without_ipv6));
        assert_eq!((error.exit, error.needs_root.is_empty()), (Exit::Bad, true));
    }

    #[test]
    fn one_without_end_is_paced_as_people_know_it() {
        let endless = asked("-c 0 ::1");
        assert_eq!(
            (endless.count, endless.interval_us),
            (None, Some(1_000_000))
        );
        assert_eq!(asked("-c 0 -i 0.5 ::1").interval_us, Some(500_000));
    }
}
