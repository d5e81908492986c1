//! One at a time.

use super::setting::{Ran, SETUP, Setting, ran};

const MANY: usize = 20;

#[test]
fn of_twenty_setups_at_once_one_works_and_the_others_say_that_it_is_busy() {
    let setting = Setting::new();
    // Whoever comes that far waits there until all others have had their answers.
    setting.bus.lets_restart(false);
    let (tell, told) = std::sync::mpsc::channel();
    let mut answers: Vec<Ran> = std::thread::scope(|scope| {
        for _ in 0..MANY {
            let tell = tell.clone();
            let mut command = setting.command(SETUP);
            scope.spawn(move || tell.send(ran(&mut command)));
        }
        let mut answers: Vec<Ran> = told.iter().take(MANY - 1).collect();
        setting.bus.lets_restart(true);
        answers.extend(told.iter().take(1));
        answers
    });
    let worked = answers.pop().unwrap();
    assert_eq!(worked.status, Some(0), "{}", worked.said);
    for busy in answers {
        assert_eq!(busy.status, Some(7), "{}", busy.said);
    }
    setting.is_whole(&[&Setting::set_up().tree()], "after twenty setups");
    assert_eq!(setting.generations(), 1);
    setting.runs_well(super::setting::UNDO);
    setting.is_whole(&[setting.beginning()], "after undo");
}
