//! `verify`: does IPv6 work, from where to where, and if not, why?

use std::cell::OnceCell;
use std::path::PathBuf;

use super::{Scene, with_settings};
use crate::cli::{From, Global, Verify};
use crate::error::{Error, Exit, Result};
use crate::facts::Engine;
use crate::host::engine::container;
use crate::host::probe_container::Leftovers;
use crate::host::{Host, process};
use crate::hostile::plain;
use crate::report::{Report, human};
use crate::request::Request;
use crate::ui::{Progress, Ui};
use crate::verify::{self, Outcome, Question, Targets, Vantage, Verification, targets};

/// Runs the command.
pub async fn run(arguments: &Verify, global: &Global, ui: Ui) -> Report {
    process::hold_signals();
    let socket = OnceCell::new();
    let verified = tokio::select! {
        verified = verify(arguments, global, ui, &socket) => verified,
        () = process::interrupted() => {
            if let Some(socket) = socket.get() {
                verify::sweep(socket, Leftovers::Own).await;
            }
            Err(Error::new(Exit::Interrupted, "interrupted"))
        }
    };
    match verified {
        Ok(verification) => report(&verification, ui),
        Err(error) => Report::failed("verify", error),
    }
}

/// The Engine's socket is told as soon as it is known: whoever gives this up has to clean up there.
async fn verify(
    arguments: &Verify,
    global: &Global,
    ui: Ui,
    socket: &OnceCell<PathBuf>,
) -> Result<Verification> {
    let vantages = vantages(arguments)?;
    let scene = Scene::look(global.unit()).await?;
    let socket = socket.get_or_init(|| scene.host.socket.clone());
    let targets = targets_for(&scene.host, arguments).await?;
    if let Some(engine) = scene.facts.engine.is() {
        let kit = scene.facts.rootlesskit.is();
        let is_detached = kit.is_some_and(|kit| kit.detached);
        for name in &arguments.networks {
            has_containers_of_its_own(engine, is_detached, name)?;
        }
        for name in &arguments.containers {
            // One that cannot be looked into is no vantage point.
            container::join(socket, name).await?;
        }
    }
    let mut steps = ui.steps();
    steps.begin("probe");
    let question = Question::new(&vantages, &targets);
    let verification = verify::verify(&scene.facts, socket, &question).await;
    steps.hush();
    Ok(verification)
}

/// A container that shares its network with the host or another container, or has none, shows nothing
/// of a network. Beside a detached netns dockerd is in the host's, and `host` is that.
fn has_containers_of_its_own(engine: &Engine, is_detached: bool, name: &str) -> Result<()> {
    let shown = plain(name);
    if !container::is_name(name) {
        let message = format!("there is no network {shown:?}");
        return Err(Error::new(Exit::Usage, message).hint("`docker network ls` lists them"));
    }
    let mut networks = engine.networks.iter();
    let in_netns = "`--from netns` probes from RootlessKit's netns";
    let (why, hint) = match networks.find(|network| network.name == name) {
        Some(network) if network.driver == "host" && is_detached => {
            ("is the host's own", "`--from host` probes from the host")
        }
        Some(network) if network.driver == "host" => ("is RootlessKit's netns itself", in_netns),
        Some(network) if network.driver == "null" => ("has no way out", in_netns),
        _ => return Ok(()),
    };
    Err(Error::new(
        Exit::Usage,
        format!("the network {shown} {why}: a container there shows nothing of Docker's networks"),
    )
    .hint(hint))
}

fn report(verification: &Verification, ui: Ui) -> Report {
    let exit = match verification.verdict {
        Outcome::Pass => Exit::Well,
        _ => Exit::Bad,
    };
    let text = if ui.quiet {
        human::verdict(verification)
    } else {
        human::verification(verification)
    };
    Report::new("verify", exit, text, verification)
}

async fn targets_for(host: &Host, arguments: &Verify) -> Result<Targets> {
    let asked = Request {
        targets: arguments.targets.clone(),
        ..Request::default()
    };
    targets::resolve(&with_settings(asked, host, None)?.targets).await
}

/// Each once: what is asked for twice has the same name in the answer.
fn vantages(arguments: &Verify) -> Result<Vec<Vantage>> {
    let asked = |from| arguments.from.contains(&from);
    let mut vantages = Vec::new();
    for (from, vantage) in [
        (From::Host, Vantage::Host),
        (From::Netns, Vantage::Netns),
        (From::Container, Vantage::Container),
    ] {
        if asked(from) {
            vantages.push(vantage);
        }
    }
    let networks = arguments.networks.iter().cloned();
    let running = arguments.containers.iter().cloned();
    let named = networks
        .map(Vantage::OnNetwork)
        .chain(running.map(Vantage::InContainer));
    for vantage in named {
        if vantages.contains(&vantage) {
            continue;
        }
        let id = vantage.id();
        if vantages.iter().any(|other| other.id() == id) {
            let id = plain(&id);
            let message = format!("a network and a container would both be called {id}");
            return Err(Error::new(Exit::Usage, message)
                .hint("ask for one after the other: `--network`, then `--container`"));
        }
        vantages.push(vantage);
    }
    Ok(vantages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::DockerNetwork;

    #[test]
    fn what_is_asked_for_twice_is_probed_once() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let arguments = Verify {
            from: vec![From::Netns, From::Host, From::Netns],
            networks: names(&["db", "web", "db"]),
            containers: names(&["shop", "shop"]),
            targets: Vec::new(),
        };
        assert_eq!(
            vantages(&arguments).unwrap(),
            [
                Vantage::Host,
                Vantage::Netns,
                Vantage::OnNetwork("db".to_owned()),
                Vantage::OnNetwork("web".to_owned()),
                Vantage::InContainer("shop".to_owned()),
            ]
        );
    }

    #[test]
    fn the_network_host_is_where_dockerd_is() {
        let network = DockerNetwork {
            name: "host".to_owned(),
            driver: "host".to_owned(),
            ..DockerNetwork::default()
        };
        let engine = Engine {
            networks: vec![network],
            ..Engine::default()
        };
        for (is_detached, from) in [(false, "`--from netns`"), (true, "`--from host`")] {
            let error = has_containers_of_its_own(&engine, is_detached, "host").unwrap_err();
            assert!(error.hints[0].starts_with(from), "{error:?}");
            assert_eq!(error.message.contains("RootlessKit"), !is_detached);
        }
    }
}
