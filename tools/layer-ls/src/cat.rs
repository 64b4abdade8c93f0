//! The content of one file of an image.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;

use common::cli::{Failure, Status};
use common::inside::Wanted;
use common::layer::listing::kind_name;
use common::layer::tree::Last;
use common::name::show;
use common::stream::{self, Output, Payload};
use common::tar::Kind;

use crate::cli::Cli;
use crate::image::open;

pub(crate) fn write(cli: &Cli, image: &OsStr) -> Result<Status, Failure> {
    let [path] = cli.operands.as_slice() else {
        return Err(Failure::usage("--cat takes an image and one path in it"));
    };
    let (reference, inside) = open(cli, image, false)?;
    let path = path.as_bytes();
    let about = |text: String| Failure::new(format!("{reference}: {}: {text}", show(path)));
    let names = inside.tree.resolve(path, Last::Followed);
    let names = names.map_err(|error| Failure::about(&reference, error))?;
    let node = inside.tree.get(&names).ok_or_else(|| about("no such path in the image".into()))?;
    let inode = match (node.kind(), node.inode()) {
        (Kind::File, Some(inode)) => inode,
        (kind, _) => return Err(about(format!("not a file but a {}", kind_name(kind)))),
    };
    let mut wanted = Wanted::default();
    wanted.add(&inode.content);
    let mut output = Output::standard(Payload::Text)?;
    let mut written = Ok(());
    inside
        .visit(&wanted, |_, _, _, content| {
            let mut part = vec![0; 64 << 10];
            loop {
                let len = content.read(&mut part)?;
                if len == 0 {
                    return Ok(());
                }
                written = io::Write::write_all(&mut output, part.get(..len).unwrap_or_default());
                if written.is_err() {
                    return Err(io::ErrorKind::Other.into());
                }
            }
        })
        .map_err(|error| error.about(&reference))
        .or_else(|failure| if written.is_err() { Ok(()) } else { Err(failure) })?;
    written.map_err(stream::Error::StandardOutput)?;
    output.commit()?;
    Ok(Status::DONE)
}
