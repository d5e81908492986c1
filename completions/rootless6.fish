# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rootless6_global_optspecs
    string join \n json q/quiet v/verbose color= user= unit= timeout= h/help V/version
end

function __fish_rootless6_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rootless6_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rootless6_using_subcommand
    set -l cmd (__fish_rootless6_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rootless6 -n "__fish_rootless6_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rootless6 -n "__fish_rootless6_needs_command" -l user -d 'As root: become this user first' -r
complete -c rootless6 -n "__fish_rootless6_needs_command" -l unit -d 'The unit that runs dockerd [default: docker.service]' -r
complete -c rootless6 -n "__fish_rootless6_needs_command" -l timeout -d 'How long a restart of dockerd may take' -r
complete -c rootless6 -n "__fish_rootless6_needs_command" -l json -d 'Print one JSON document, also on failure'
complete -c rootless6 -n "__fish_rootless6_needs_command" -s q -l quiet -d 'Print only results and errors'
complete -c rootless6 -n "__fish_rootless6_needs_command" -s v -l verbose -d 'Tell what is going on behind the scenes; twice for more'
complete -c rootless6 -n "__fish_rootless6_needs_command" -s h -l help -d 'Print help'
complete -c rootless6 -n "__fish_rootless6_needs_command" -s V -l version -d 'Print version'
complete -c rootless6 -n "__fish_rootless6_needs_command" -f -a "setup" -d 'Make IPv6 work: look, explain, ask, apply, restart dockerd, prove it - or put everything back'
complete -c rootless6 -n "__fish_rootless6_needs_command" -f -a "verify" -d 'Does IPv6 work, from where to where, and if not, why?'
complete -c rootless6 -n "__fish_rootless6_needs_command" -f -a "ping" -d 'Send echo requests from this host, RootlessKit\'s netns or any running container'
complete -c rootless6 -n "__fish_rootless6_needs_command" -f -a "status" -d 'What is configured and what is live; sends no packet'
complete -c rootless6 -n "__fish_rootless6_needs_command" -f -a "doctor" -d 'What is wrong, why, and what to do about it; sends no packet and changes nothing'
complete -c rootless6 -n "__fish_rootless6_needs_command" -f -a "undo" -d 'Put back what was there before setup, byte for byte'
complete -c rootless6 -n "__fish_rootless6_needs_command" -f -a "confirm" -d 'Keep what `setup --confirm-within` has done'
complete -c rootless6 -n "__fish_rootless6_needs_command" -f -a "explain" -d 'What a finding means, how to mend it and how to check that; without a CODE, the list'
complete -c rootless6 -n "__fish_rootless6_needs_command" -f -a "recover" -d 'Finish what was cut short; a timer of the user\'s systemd runs this while setup is at work'
complete -c rootless6 -n "__fish_rootless6_needs_command" -f -a "uplink" -d 'Give tap0 its IPv6 address and route; dockerd\'s unit runs this at each start'
complete -c rootless6 -n "__fish_rootless6_needs_command" -f -a "wait-online" -d 'Wait until the host has IPv6; dockerd\'s unit runs this before each start'
complete -c rootless6 -n "__fish_rootless6_needs_command" -f -a "completions" -d 'Print the completions for a shell'
complete -c rootless6 -n "__fish_rootless6_needs_command" -f -a "man" -d 'Print the manual page'
complete -c rootless6 -n "__fish_rootless6_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l accept -d 'Accept a consequence that would be asked about; may be given several times' -r -f -a "containers-restart\t'Running containers stop; those without a restart policy stay down'"
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l config -d 'Take settings from a TOML file whose keys are these flags [default: ~/.config/rootless6/config.toml, if there]' -r -F
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l confirm-within -d 'Put the old settings back unless `rootless6 confirm` comes within this time' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l rehearse -d 'Whether a throw-away RootlessKit shows first that the new settings work [default: auto]' -r -f -a "auto\t'Before every restart'
never\t'Not at all'"
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l net -d 'RootlessKit\'s network driver [default: pasta, or slirp4netns where RootlessKit has no pasta]' -r -f -a "pasta\t'passt\'s pasta, which carries TCP, UDP and echo requests of both families'
slirp4netns\t'Carries TCP and UDP over IPv6, and echo requests from libslirp 4.8 on'
keep\t'Whatever is configured now'"
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l port-driver -d 'RootlessKit\'s port driver [default: implicit with pasta, builtin with slirp4netns]' -r -f -a "implicit\t'pasta forwards published ports itself'
builtin\t'RootlessKit forwards them, of both families; not with pasta'
slirp4netns\t'slirp4netns forwards them, IPv4 alone, and keeps the source address'
keep\t'Whatever is configured now'"
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l mtu -d 'MTU of RootlessKit\'s tap interface, or keep [default: 65520]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l flag -d 'Another option for RootlessKit; may be given several times' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l subnet -d 'docker0\'s IPv6 subnet: auto, a CIDR, or none to leave docker0 alone [default: auto]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l new-networks -d 'Whether networks made from now on have IPv6 without being asked [default: ipv6]' -r -f -a "ipv6\t'New networks have IPv6; before Engine 27, where they say `--ipv6`'
keep\t'Whatever is configured now'"
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l uplink -d 'Whether each start of dockerd gives tap0 an address and a route [default: auto]' -r -f -a "auto\t'Where RootlessKit gives tap0 no IPv6 by itself'
always\t'On every start'
never\t'Not at all'"
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l wait-online -d 'How long each start of dockerd waits for the host\'s IPv6, at most; 0 for not at all [default: as it is]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l target -d 'Address or name that verification tries to reach; may be given several times' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l user -d 'As root: become this user first' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l unit -d 'The unit that runs dockerd [default: docker.service]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l timeout -d 'How long a restart of dockerd may take' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -s y -l yes -d 'Ask nothing'
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l dry-run -d 'Show what would be done and change nothing'
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l no-restart -d 'Write the files but leave dockerd running as it is'
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l no-verify -d 'Do not probe afterwards'
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l keep -d 'Keep the change even if IPv6 does not work afterwards'
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l follow-symlinks -d 'Write to the target of a symlink that is in place of a file or directory, if that is your own'
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -l json -d 'Print one JSON document, also on failure'
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -s q -l quiet -d 'Print only results and errors'
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -s v -l verbose -d 'Tell what is going on behind the scenes; twice for more'
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rootless6 -n "__fish_rootless6_using_subcommand setup" -s V -l version -d 'Print version'
complete -c rootless6 -n "__fish_rootless6_using_subcommand verify" -l from -d 'Vantage points to probe from' -r -f -a "host\t'This host'
netns\t'RootlessKit\'s network namespace'
container\t'A new container on docker0'"
complete -c rootless6 -n "__fish_rootless6_using_subcommand verify" -l network -d 'Probe from a new container on this network too; may be given several times' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand verify" -l container -d 'Probe from inside this running container too; may be given several times' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand verify" -l target -d 'Address or name that should answer; may be given several times [default: well-known public resolvers]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand verify" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rootless6 -n "__fish_rootless6_using_subcommand verify" -l user -d 'As root: become this user first' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand verify" -l unit -d 'The unit that runs dockerd [default: docker.service]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand verify" -l timeout -d 'How long a restart of dockerd may take' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand verify" -l json -d 'Print one JSON document, also on failure'
complete -c rootless6 -n "__fish_rootless6_using_subcommand verify" -s q -l quiet -d 'Print only results and errors'
complete -c rootless6 -n "__fish_rootless6_using_subcommand verify" -s v -l verbose -d 'Tell what is going on behind the scenes; twice for more'
complete -c rootless6 -n "__fish_rootless6_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rootless6 -n "__fish_rootless6_using_subcommand verify" -s V -l version -d 'Print version'
complete -c rootless6 -n "__fish_rootless6_using_subcommand ping" -l from -d 'Where to send from: this host, RootlessKit\'s netns, or a running container\'s network' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand ping" -s c -l count -d 'Echo requests to each target; 0 goes on until it is interrupted, once a second unless -i says otherwise' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand ping" -s i -l interval -d 'Time between two echo requests to a target [default: none, the next one goes out when the last one is answered]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand ping" -s W -l wait -d 'How long an answer may take; what comes later counts as late' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand ping" -s s -l size -d 'Bytes in each echo request, 8 at least for the number that proves an answer to be ours' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand ping" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rootless6 -n "__fish_rootless6_using_subcommand ping" -l user -d 'As root: become this user first' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand ping" -l unit -d 'The unit that runs dockerd [default: docker.service]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand ping" -l timeout -d 'How long a restart of dockerd may take' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand ping" -l json -d 'Print one JSON document, also on failure'
complete -c rootless6 -n "__fish_rootless6_using_subcommand ping" -s q -l quiet -d 'Print only results and errors'
complete -c rootless6 -n "__fish_rootless6_using_subcommand ping" -s v -l verbose -d 'Tell what is going on behind the scenes; twice for more'
complete -c rootless6 -n "__fish_rootless6_using_subcommand ping" -s h -l help -d 'Print help'
complete -c rootless6 -n "__fish_rootless6_using_subcommand ping" -s V -l version -d 'Print version'
complete -c rootless6 -n "__fish_rootless6_using_subcommand status" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rootless6 -n "__fish_rootless6_using_subcommand status" -l user -d 'As root: become this user first' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand status" -l unit -d 'The unit that runs dockerd [default: docker.service]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand status" -l timeout -d 'How long a restart of dockerd may take' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand status" -l json -d 'Print one JSON document, also on failure'
complete -c rootless6 -n "__fish_rootless6_using_subcommand status" -s q -l quiet -d 'Print only results and errors'
complete -c rootless6 -n "__fish_rootless6_using_subcommand status" -s v -l verbose -d 'Tell what is going on behind the scenes; twice for more'
complete -c rootless6 -n "__fish_rootless6_using_subcommand status" -s h -l help -d 'Print help'
complete -c rootless6 -n "__fish_rootless6_using_subcommand status" -s V -l version -d 'Print version'
complete -c rootless6 -n "__fish_rootless6_using_subcommand doctor" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rootless6 -n "__fish_rootless6_using_subcommand doctor" -l user -d 'As root: become this user first' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand doctor" -l unit -d 'The unit that runs dockerd [default: docker.service]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand doctor" -l timeout -d 'How long a restart of dockerd may take' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand doctor" -l list -d 'Show what can be found, and look for nothing'
complete -c rootless6 -n "__fish_rootless6_using_subcommand doctor" -l json -d 'Print one JSON document, also on failure'
complete -c rootless6 -n "__fish_rootless6_using_subcommand doctor" -s q -l quiet -d 'Print only results and errors'
complete -c rootless6 -n "__fish_rootless6_using_subcommand doctor" -s v -l verbose -d 'Tell what is going on behind the scenes; twice for more'
complete -c rootless6 -n "__fish_rootless6_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c rootless6 -n "__fish_rootless6_using_subcommand doctor" -s V -l version -d 'Print version'
complete -c rootless6 -n "__fish_rootless6_using_subcommand undo" -l to -d 'Take back everything after the setup of this number in the list; 0 takes back all' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand undo" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rootless6 -n "__fish_rootless6_using_subcommand undo" -l user -d 'As root: become this user first' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand undo" -l unit -d 'The unit that runs dockerd [default: docker.service]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand undo" -l timeout -d 'How long a restart of dockerd may take' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand undo" -s y -l yes -d 'Ask nothing'
complete -c rootless6 -n "__fish_rootless6_using_subcommand undo" -l list -d 'Show what setup has done, the newest first, and change nothing'
complete -c rootless6 -n "__fish_rootless6_using_subcommand undo" -l json -d 'Print one JSON document, also on failure'
complete -c rootless6 -n "__fish_rootless6_using_subcommand undo" -s q -l quiet -d 'Print only results and errors'
complete -c rootless6 -n "__fish_rootless6_using_subcommand undo" -s v -l verbose -d 'Tell what is going on behind the scenes; twice for more'
complete -c rootless6 -n "__fish_rootless6_using_subcommand undo" -s h -l help -d 'Print help'
complete -c rootless6 -n "__fish_rootless6_using_subcommand undo" -s V -l version -d 'Print version'
complete -c rootless6 -n "__fish_rootless6_using_subcommand confirm" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rootless6 -n "__fish_rootless6_using_subcommand confirm" -l user -d 'As root: become this user first' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand confirm" -l unit -d 'The unit that runs dockerd [default: docker.service]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand confirm" -l timeout -d 'How long a restart of dockerd may take' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand confirm" -l json -d 'Print one JSON document, also on failure'
complete -c rootless6 -n "__fish_rootless6_using_subcommand confirm" -s q -l quiet -d 'Print only results and errors'
complete -c rootless6 -n "__fish_rootless6_using_subcommand confirm" -s v -l verbose -d 'Tell what is going on behind the scenes; twice for more'
complete -c rootless6 -n "__fish_rootless6_using_subcommand confirm" -s h -l help -d 'Print help'
complete -c rootless6 -n "__fish_rootless6_using_subcommand confirm" -s V -l version -d 'Print version'
complete -c rootless6 -n "__fish_rootless6_using_subcommand explain" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rootless6 -n "__fish_rootless6_using_subcommand explain" -l user -d 'As root: become this user first' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand explain" -l unit -d 'The unit that runs dockerd [default: docker.service]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand explain" -l timeout -d 'How long a restart of dockerd may take' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand explain" -l json -d 'Print one JSON document, also on failure'
complete -c rootless6 -n "__fish_rootless6_using_subcommand explain" -s q -l quiet -d 'Print only results and errors'
complete -c rootless6 -n "__fish_rootless6_using_subcommand explain" -s v -l verbose -d 'Tell what is going on behind the scenes; twice for more'
complete -c rootless6 -n "__fish_rootless6_using_subcommand explain" -s h -l help -d 'Print help'
complete -c rootless6 -n "__fish_rootless6_using_subcommand explain" -s V -l version -d 'Print version'
complete -c rootless6 -n "__fish_rootless6_using_subcommand recover" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rootless6 -n "__fish_rootless6_using_subcommand recover" -l user -d 'As root: become this user first' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand recover" -l unit -d 'The unit that runs dockerd [default: docker.service]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand recover" -l timeout -d 'How long a restart of dockerd may take' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand recover" -l json -d 'Print one JSON document, also on failure'
complete -c rootless6 -n "__fish_rootless6_using_subcommand recover" -s q -l quiet -d 'Print only results and errors'
complete -c rootless6 -n "__fish_rootless6_using_subcommand recover" -s v -l verbose -d 'Tell what is going on behind the scenes; twice for more'
complete -c rootless6 -n "__fish_rootless6_using_subcommand recover" -s h -l help -d 'Print help'
complete -c rootless6 -n "__fish_rootless6_using_subcommand recover" -s V -l version -d 'Print version'
complete -c rootless6 -n "__fish_rootless6_using_subcommand uplink" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rootless6 -n "__fish_rootless6_using_subcommand uplink" -l user -d 'As root: become this user first' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand uplink" -l unit -d 'The unit that runs dockerd [default: docker.service]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand uplink" -l timeout -d 'How long a restart of dockerd may take' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand uplink" -l json -d 'Print one JSON document, also on failure'
complete -c rootless6 -n "__fish_rootless6_using_subcommand uplink" -s q -l quiet -d 'Print only results and errors'
complete -c rootless6 -n "__fish_rootless6_using_subcommand uplink" -s v -l verbose -d 'Tell what is going on behind the scenes; twice for more'
complete -c rootless6 -n "__fish_rootless6_using_subcommand uplink" -s h -l help -d 'Print help'
complete -c rootless6 -n "__fish_rootless6_using_subcommand uplink" -s V -l version -d 'Print version'
complete -c rootless6 -n "__fish_rootless6_using_subcommand wait-online" -l for -d 'How long to wait at most' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand wait-online" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rootless6 -n "__fish_rootless6_using_subcommand wait-online" -l user -d 'As root: become this user first' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand wait-online" -l unit -d 'The unit that runs dockerd [default: docker.service]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand wait-online" -l timeout -d 'How long a restart of dockerd may take' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand wait-online" -l json -d 'Print one JSON document, also on failure'
complete -c rootless6 -n "__fish_rootless6_using_subcommand wait-online" -s q -l quiet -d 'Print only results and errors'
complete -c rootless6 -n "__fish_rootless6_using_subcommand wait-online" -s v -l verbose -d 'Tell what is going on behind the scenes; twice for more'
complete -c rootless6 -n "__fish_rootless6_using_subcommand wait-online" -s h -l help -d 'Print help'
complete -c rootless6 -n "__fish_rootless6_using_subcommand wait-online" -s V -l version -d 'Print version'
complete -c rootless6 -n "__fish_rootless6_using_subcommand completions" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rootless6 -n "__fish_rootless6_using_subcommand completions" -l user -d 'As root: become this user first' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand completions" -l unit -d 'The unit that runs dockerd [default: docker.service]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand completions" -l timeout -d 'How long a restart of dockerd may take' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand completions" -l json -d 'Print one JSON document, also on failure'
complete -c rootless6 -n "__fish_rootless6_using_subcommand completions" -s q -l quiet -d 'Print only results and errors'
complete -c rootless6 -n "__fish_rootless6_using_subcommand completions" -s v -l verbose -d 'Tell what is going on behind the scenes; twice for more'
complete -c rootless6 -n "__fish_rootless6_using_subcommand completions" -s h -l help -d 'Print help'
complete -c rootless6 -n "__fish_rootless6_using_subcommand completions" -s V -l version -d 'Print version'
complete -c rootless6 -n "__fish_rootless6_using_subcommand man" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rootless6 -n "__fish_rootless6_using_subcommand man" -l user -d 'As root: become this user first' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand man" -l unit -d 'The unit that runs dockerd [default: docker.service]' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand man" -l timeout -d 'How long a restart of dockerd may take' -r
complete -c rootless6 -n "__fish_rootless6_using_subcommand man" -l json -d 'Print one JSON document, also on failure'
complete -c rootless6 -n "__fish_rootless6_using_subcommand man" -s q -l quiet -d 'Print only results and errors'
complete -c rootless6 -n "__fish_rootless6_using_subcommand man" -s v -l verbose -d 'Tell what is going on behind the scenes; twice for more'
complete -c rootless6 -n "__fish_rootless6_using_subcommand man" -s h -l help -d 'Print help'
complete -c rootless6 -n "__fish_rootless6_using_subcommand man" -s V -l version -d 'Print version'
complete -c rootless6 -n "__fish_rootless6_using_subcommand help; and not __fish_seen_subcommand_from setup verify ping status doctor undo confirm explain recover uplink wait-online completions man help" -f -a "setup" -d 'Make IPv6 work: look, explain, ask, apply, restart dockerd, prove it - or put everything back'
complete -c rootless6 -n "__fish_rootless6_using_subcommand help; and not __fish_seen_subcommand_from setup verify ping status doctor undo confirm explain recover uplink wait-online completions man help" -f -a "verify" -d 'Does IPv6 work, from where to where, and if not, why?'
complete -c rootless6 -n "__fish_rootless6_using_subcommand help; and not __fish_seen_subcommand_from setup verify ping status doctor undo confirm explain recover uplink wait-online completions man help" -f -a "ping" -d 'Send echo requests from this host, RootlessKit\'s netns or any running container'
complete -c rootless6 -n "__fish_rootless6_using_subcommand help; and not __fish_seen_subcommand_from setup verify ping status doctor undo confirm explain recover uplink wait-online completions man help" -f -a "status" -d 'What is configured and what is live; sends no packet'
complete -c rootless6 -n "__fish_rootless6_using_subcommand help; and not __fish_seen_subcommand_from setup verify ping status doctor undo confirm explain recover uplink wait-online completions man help" -f -a "doctor" -d 'What is wrong, why, and what to do about it; sends no packet and changes nothing'
complete -c rootless6 -n "__fish_rootless6_using_subcommand help; and not __fish_seen_subcommand_from setup verify ping status doctor undo confirm explain recover uplink wait-online completions man help" -f -a "undo" -d 'Put back what was there before setup, byte for byte'
complete -c rootless6 -n "__fish_rootless6_using_subcommand help; and not __fish_seen_subcommand_from setup verify ping status doctor undo confirm explain recover uplink wait-online completions man help" -f -a "confirm" -d 'Keep what `setup --confirm-within` has done'
complete -c rootless6 -n "__fish_rootless6_using_subcommand help; and not __fish_seen_subcommand_from setup verify ping status doctor undo confirm explain recover uplink wait-online completions man help" -f -a "explain" -d 'What a finding means, how to mend it and how to check that; without a CODE, the list'
complete -c rootless6 -n "__fish_rootless6_using_subcommand help; and not __fish_seen_subcommand_from setup verify ping status doctor undo confirm explain recover uplink wait-online completions man help" -f -a "recover" -d 'Finish what was cut short; a timer of the user\'s systemd runs this while setup is at work'
complete -c rootless6 -n "__fish_rootless6_using_subcommand help; and not __fish_seen_subcommand_from setup verify ping status doctor undo confirm explain recover uplink wait-online completions man help" -f -a "uplink" -d 'Give tap0 its IPv6 address and route; dockerd\'s unit runs this at each start'
complete -c rootless6 -n "__fish_rootless6_using_subcommand help; and not __fish_seen_subcommand_from setup verify ping status doctor undo confirm explain recover uplink wait-online completions man help" -f -a "wait-online" -d 'Wait until the host has IPv6; dockerd\'s unit runs this before each start'
complete -c rootless6 -n "__fish_rootless6_using_subcommand help; and not __fish_seen_subcommand_from setup verify ping status doctor undo confirm explain recover uplink wait-online completions man help" -f -a "completions" -d 'Print the completions for a shell'
complete -c rootless6 -n "__fish_rootless6_using_subcommand help; and not __fish_seen_subcommand_from setup verify ping status doctor undo confirm explain recover uplink wait-online completions man help" -f -a "man" -d 'Print the manual page'
complete -c rootless6 -n "__fish_rootless6_using_subcommand help; and not __fish_seen_subcommand_from setup verify ping status doctor undo confirm explain recover uplink wait-online completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
