//! From where setup proves its work.

use crate::facts::{Engine, Facts};
use crate::request::SubnetChoice;
use crate::verify::Vantage;

/// docker0 is no vantage point where it is switched off, or without IPv6 and to be left alone.
pub(super) fn vantages(facts: &Facts, subnet: SubnetChoice) -> Vec<Vantage> {
    let engine = facts.engine.is();
    let has_ipv6 = engine
        .and_then(Engine::docker0)
        .is_some_and(|docker0| docker0.ipv6);
    let is_off = engine.is_some_and(Engine::is_without_docker0);
    let mut vantages = vec![Vantage::Host, Vantage::Netns];
    if !is_off && (has_ipv6 || subnet != SubnetChoice::None) {
        vantages.push(Vantage::Container);
    }
    vantages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{DockerNetwork, Seen};

    fn with(networks: &[(&str, bool)]) -> Facts {
        let networks = networks.iter().map(|(name, ipv6)| DockerNetwork {
            name: (*name).to_owned(),
            ipv6: *ipv6,
            ..DockerNetwork::default()
        });
        Facts {
            engine: Seen::Is(Engine {
                networks: networks.collect(),
                ..Engine::default()
            }),
            ..Facts::default()
        }
    }

    #[test]
    fn docker0_proves_nothing_where_nobody_wants_it_to() {
        let (auto, none) = (SubnetChoice::Auto, SubnetChoice::None);
        let silent = Facts::default();
        for (facts, subnet, is_asked) in [
            (with(&[("bridge", true), ("host", false)]), auto, true),
            (with(&[("bridge", false), ("host", false)]), auto, true),
            (with(&[("bridge", true), ("host", false)]), none, true),
            (with(&[("bridge", false), ("host", false)]), none, false),
            (with(&[("host", false), ("none", false)]), auto, false),
            (with(&[("host", false), ("none", false)]), none, false),
            (with(&[]), auto, true),
            (silent.clone(), auto, true),
            (silent, none, false),
        ] {
            let vantages = vantages(&facts, subnet);
            assert!(vantages.starts_with(&[Vantage::Host, Vantage::Netns]));
            let asked = vantages.contains(&Vantage::Container);
            assert_eq!(asked, is_asked, "{subnet:?} {facts:?}");
        }
    }
}
