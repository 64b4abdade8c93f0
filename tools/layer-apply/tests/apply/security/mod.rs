//! What hostile layers have done to others: a test for each attack that is on
//! record, with canaries outside the root.

mod environment;
mod framing;
mod limits;
mod links;
mod race;
