//! How a container goes.

use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{
    KillContainerOptions, RemoveContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::{CONFLICT, status};

/// A process that is killed is gone in a fraction of a second; the rest is for a busy machine.
const ENDING: Duration = Duration::from_secs(2);

/// All of it. An Engine that takes longer does something else, and the next run sweeps.
const PATIENCE: Duration = Duration::from_secs(15);

/// How far a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Its process lives.
    Running,
    /// Its process has done its work.
    Ending,
    /// It has none, or that is unknown.
    Idle,
}

/// Comes back when the container is gone, or the Engine takes too long.
pub(super) async fn remove(docker: &Docker, id: &str, state: State) {
    let _ = timeout(PATIENCE, see_off(docker, id, state)).await;
}

/// The Engine removes what has ended. Where both it and this program do that at the same time, one
/// of them fails, and dockerd writes that into its log as an error.
async fn see_off(docker: &Docker, id: &str, state: State) {
    if state == State::Running {
        let _ = docker
            .kill_container(id, None::<KillContainerOptions>)
            .await;
    }
    if state != State::Idle && timeout(ENDING, gone(docker, id)).await.is_ok() {
        return;
    }
    let options = RemoveContainerOptionsBuilder::new()
        .force(true)
        .v(true)
        .build();
    if let Err(error) = docker.remove_container(id, Some(options)).await
        && status(&error) == Some(CONFLICT)
    {
        gone(docker, id).await;
    }
}

/// Waits until the Engine has removed it, if it has not yet.
async fn gone(docker: &Docker, id: &str) {
    let options = WaitContainerOptionsBuilder::new()
        .condition("removed")
        .build();
    let _ = docker.wait_container(id, Some(options)).next().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::engine::scripted::{Reply, engine};

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_never_is_done_with_it_is_left_alone() {
        let (_directory, docker) = engine(|request| {
            if request.contains("/wait") {
                return Reply {
                    length: 3,
                    ..Reply::new(200, "")
                };
            }
            Reply::new(CONFLICT, "{}")
        });
        for state in [State::Running, State::Ending, State::Idle] {
            remove(&docker, "it", state).await;
        }
    }
}
