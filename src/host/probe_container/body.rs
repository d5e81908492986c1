//! What a container of ours is and may do. Pure.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, PortBinding, RestartPolicy,
    RestartPolicyNameEnum,
};

use super::LABEL;
use crate::host::image::Image;
use crate::host::run_id::RunId;
use crate::vantage;

/// A probe needs little; the limits hold where the Engine has cgroup controllers.
const MEMORY_BYTES: i64 = 64 << 20;
const PIDS: i64 = 64;

/// All addresses of the host. Said rather than left to the Engine, whose default may be only one of
/// them (daemon.json: `ip`).
const EVERYWHERE: [&str; 2] = ["::", "0.0.0.0"];

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It probes, and needs raw sockets for that.
    Probe,
    /// It answers on a TCP port.
    Serve {
        /// In the container.
        port: u16,
        /// On all addresses of the host.
        published: Option<u16>,
    },
}

/// One network, one capability at most, nothing to write to, nothing that stays.
pub(super) fn container(image: &Image, network: &str, purpose: Purpose) -> ContainerCreateBody {
    let mut entrypoint = image.program.clone();
    entrypoint.push(vantage::COMMAND.to_owned());
    let mut body = ContainerCreateBody {
        image: Some(image.name.clone()),
        entrypoint: Some(entrypoint),
        labels: Some(HashMap::from([(
            LABEL.to_owned(),
            RunId::own().to_string(),
        )])),
        open_stdin: Some(true),
        stdin_once: Some(true),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        host_config: Some(confined(network)),
        ..ContainerCreateBody::default()
    };
    let Some(host_config) = &mut body.host_config else {
        return body;
    };
    match purpose {
        Purpose::Probe => host_config.cap_add = Some(vec!["NET_RAW".to_owned()]),
        Purpose::Serve {
            port,
            published: Some(on_host),
        } => {
            let port = format!("{port}/tcp");
            body.exposed_ports = Some(vec![port.clone()]);
            let bindings = EVERYWHERE.map(|address| PortBinding {
                host_ip: Some(address.to_owned()),
                host_port: Some(on_host.to_string()),
            });
            host_config.port_bindings = Some(HashMap::from([(port, Some(bindings.into()))]));
        }
        Purpose::Serve { .. } => {}
    }
    body
}

fn confined(network: &str) -> HostConfig {
    HostConfig {
        network_mode: Some(network.to_owned()),
        ipc_mode: Some("none".to_owned()),
        cap_drop: Some(vec!["ALL".to_owned()]),
        readonly_rootfs: Some(true),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        memory: Some(MEMORY_BYTES),
        // Memory and swap together: no swap.
        memory_swap: Some(MEMORY_BYTES),
        pids_limit: Some(PIDS),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        // What it says is read as it says it.
        log_config: Some(HostConfigLogConfig {
            typ: Some("none".to_owned()),
            config: None,
        }),
        auto_remove: Some(true),
        ..HostConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(purpose: Purpose) -> (ContainerCreateBody, HostConfig) {
        let image = Image {
            name: "image".to_owned(),
            program: vec!["/program".to_owned()],
        };
        let body = container(&image, "net", purpose);
        let host_config = body.host_config.clone().unwrap();
        (body, host_config)
    }

    #[test]
    fn only_the_prober_has_a_capability_and_only_the_published_have_ports() {
        let hidden = Purpose::Serve {
            port: 7,
            published: None,
        };
        for (purpose, capabilities) in [
            (Purpose::Probe, Some(vec!["NET_RAW".to_owned()])),
            (hidden, None),
        ] {
            let (body, host_config) = made(purpose);
            assert_eq!(host_config.cap_add, capabilities);
            assert_eq!(host_config.cap_drop, Some(vec!["ALL".to_owned()]));
            assert_eq!(host_config.port_bindings, None);
            // The lab's Engine has no cgroup controllers and could not show these.
            assert_eq!(host_config.memory, Some(MEMORY_BYTES));
            assert_eq!(host_config.pids_limit, Some(PIDS));
            assert_eq!(body.exposed_ports, None);
            assert_eq!(
                body.labels.unwrap()[LABEL],
                RunId::own().to_string(),
                "it is this run's"
            );
        }
        let (_, published) = made(Purpose::Serve {
            port: 7,
            published: Some(4000),
        });
        let bindings = &published.port_bindings.unwrap()["7/tcp"];
        let bindings: Vec<_> = bindings
            .iter()
            .flatten()
            .map(|binding| (binding.host_ip.as_deref(), binding.host_port.as_deref()))
            .collect();
        assert_eq!(
            bindings,
            [(Some("::"), Some("4000")), (Some("0.0.0.0"), Some("4000"))],
            "whatever daemon.json's `ip` says"
        );
    }
}
