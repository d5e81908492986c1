//! Which report tells more.

use super::*;

#[test]
fn a_name_that_hides_its_aaaa_tells_more_than_silence() {
    let report = |name: &str, aaaa, a| DnsReport {
        name: Some(name.to_owned()),
        aaaa,
        a,
        ..DnsReport::default()
    };
    let found = || DnsAnswer::Addresses(vec!["2001:db8::1".parse().unwrap()]);
    let whole = report("whole", found(), DnsAnswer::NotAsked);
    let hiding = report("hiding", DnsAnswer::NoRecords, found());
    let silent = report("silent", DnsAnswer::Silent, DnsAnswer::Silent);
    let unasked = report("unasked", DnsAnswer::NotAsked, DnsAnswer::NotAsked);
    let cases = [
        (&DnsReport::default(), &silent, "silent"),
        (&silent, &hiding, "hiding"),
        (&hiding, &silent, "hiding"),
        (&hiding, &whole, "whole"),
        (&silent, &unasked, "silent"),
    ];
    for (known, new, expected) in cases {
        let best = better(known.clone(), new.clone());
        assert_eq!(best.name.as_deref(), Some(expected));
    }
}
