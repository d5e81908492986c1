//! That nothing of a run stays behind.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::ListContainersOptionsBuilder;
use futures_util::future::join_all;
use tokio::time::sleep;

use super::removal::{State, remove};
use super::{BEING_MADE, LABEL};
use crate::host::image;
use crate::host::run_id::{self, RunId};

/// How often it is looked whether the Engine has answered.
const POLL: Duration = Duration::from_millis(10);

/// Whose containers to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// Those of runs that were killed.
    OfTheDead,
    /// Those of this run: it ends.
    Own,
}

/// Removes containers that runs have left behind, but none of another living one.
pub async fn sweep(docker: &Docker, whose: Leftovers) {
    match whose {
        Leftovers::OfTheDead => {
            let containers = list(docker, LABEL).await;
            let dead = containers.iter().filter(|container| !goes_on(container));
            remove_all(docker, dead).await;
            image::remove_nameless(docker).await;
        }
        Leftovers::Own => sweep_own(docker).await,
    }
}

async fn sweep_own(docker: &Docker) {
    let own = format!("{LABEL}={}", RunId::own());
    loop {
        // Before the list: what is made after it was asked for is not in there.
        let complete = BEING_MADE.load(Ordering::Relaxed) == 0;
        remove_all(docker, &list(docker, &own).await).await;
        if complete {
            return;
        }
        sleep(POLL).await;
    }
}

async fn list(docker: &Docker, label: &str) -> Vec<ContainerSummary> {
    let filters = HashMap::from([("label", vec![label])]);
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    let containers = docker.list_containers(Some(options)).await;
    containers.unwrap_or_default()
}

fn goes_on(container: &ContainerSummary) -> bool {
    let label = container
        .labels
        .as_ref()
        .and_then(|labels| labels.get(LABEL));
    label.is_some_and(|label| run_id::goes_on(label, container.created.unwrap_or_default()))
}

async fn remove_all(docker: &Docker, containers: impl IntoIterator<Item = &ContainerSummary>) {
    let removing = containers.into_iter().filter_map(|container| {
        let state = match container.state {
            Some(ContainerSummaryStateEnum::RUNNING) => State::Running,
            _ => State::Idle,
        };
        Some(remove(docker, container.id.as_deref()?, state))
    });
    join_all(removing).await;
}
