//! What a life may do next, at random: all that the service does, in any order.

use std::io;

use roomtally::snapshot::{LoadError, Published};

use crate::rig::{Dice, Life};

fn io_error(error: LoadError) -> io::Error {
    match error {
        LoadError::Io { error, .. } => error,
        other => panic!("{other}"),
    }
}

/// Counts on and does one thing; the generation that it came to.
pub(crate) fn wander(life: &mut Life, dice: &mut Dice) -> io::Result<Option<Published>> {
    wander_with(life, dice, |life, dice, most| life.count(dice.roll(most)))
}

/// The same with another way to count so many changes at most.
pub(crate) fn wander_with(
    life: &mut Life,
    dice: &mut Dice,
    mut count: impl FnMut(&mut Life, &mut Dice, u64),
) -> io::Result<Option<Published>> {
    count(life, dice, 20);
    match dice.roll(16) {
        0..4 => life.hand_on(),
        4 => return life.keep().map(Some),
        5..9 => {
            life.cut();
            count(life, dice, 8);
            if dice.roll(2) == 0 {
                life.hand_on();
            }
            if dice.roll(3) == 0 {
                let _ = life.store.visit()?;
            }
            return life.store.confirm();
        }
        // A cut that another one replaces, or that is rejected, with changes behind it.
        9 => {
            life.cut();
            count(life, dice, 8);
            life.hand_on();
            if dice.roll(2) == 0 {
                life.store.reject();
            }
            count(life, dice, 3);
            life.cut();
            return life.store.confirm();
        }
        10 => {
            life.cut();
            life.store.reject();
        }
        11 if dice.roll(4) == 0 => life.lose(),
        12 if dice.roll(4) == 0 => life.go_back().map_err(io_error)?,
        _ => {
            let _ = life.store.visit()?;
        }
    }
    Ok(None)
}
