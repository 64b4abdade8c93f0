//! The files that differ between two images, as lines.

use common::human::signed;
use common::inside::Side;
use common::inside::compare::{Rules, compare};
use common::name::show;

use crate::model::Model;

/// The lines, a directory before what is in it.
///
/// # Errors
/// The reason for which one of the images cannot be read, in one line.
pub(crate) fn lines(old: &Model, new: &Model) -> Result<Vec<String>, String> {
    let files = compare(&old.inside, &new.inside, &Rules::new(&[], false));
    let files = files.map_err(|(side, error)| {
        let model = match side {
            Side::Old => old,
            Side::New => new,
        };
        format!("{}: {}", model.title, common::errors::line(&error))
    })?;
    if files.is_empty() {
        return Ok(vec!["(no file differs)".into()]);
    }
    let line = |file: &common::inside::compare::File| {
        let slash = if file.is_directory() { "/" } else { "" };
        let differs = match file.differs.is_empty() {
            true => String::new(),
            false => format!(" [{}]", file.differs.join(" ")),
        };
        let (letter, growth) = (file.change.letter(), signed(file.growth()));
        format!("{letter} {growth:>9}  {}{slash}{differs}", show(&file.path))
    };
    Ok(files.iter().map(line).collect())
}
