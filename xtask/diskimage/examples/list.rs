//! Lists the contents of an image: `cargo run -p diskimage --example list -- IMAGE [PATH/OF/LAYER…]`.
//! The last path may also name a file or a part, e.g. `[boot code]`, whose bytes it writes.
#![allow(clippy::print_stdout, reason = "an example")]

use diskimage::{Layer, PartContent, Shared, Tree, hex, printable};
use std::error::Error;
use std::io::Write as _;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let path = args.next().ok_or("usage: list IMAGE [PATH…]")?;
    let image = diskimage::open(path.as_ref())?;
    let mut layer = image.layer;
    for path in args {
        let tree = layer.tree();
        let source = source(&*tree, path.as_encoded_bytes())?.ok_or("no such file or part")?;
        let Some(inner) = Layer::of(&source, &image.budget)? else {
            return Ok(std::io::stdout().write_all(&source.up_to(0, 1 << 20)?)?);
        };
        layer = inner;
    }
    show(&*layer.tree())
}

fn source(tree: &dyn Tree, name: &[u8]) -> diskimage::Result<Option<Shared>> {
    if let Some(node) = diskimage::find(tree, name)? {
        return Ok(Some(tree.open(&node)?.source()));
    }
    let part = tree.parts()?.into_iter().find(|part| part.name.as_bytes() == name);
    Ok(part.and_then(|part| match part.what {
        PartContent::Bytes(source) => Some(source),
        PartContent::Tree(_) | PartContent::SharedBlocks(_) => None,
    }))
}

fn show(tree: &dyn Tree) -> Result<(), Box<dyn Error>> {
    for field in tree.fields() {
        println!("# {} {}: {}", tree.layer(), field.name, field.value);
    }
    diskimage::walk(tree, &mut |path, node| {
        let m = &node.metadata;
        print!("{} {:?} {:o}", printable(path), m.kind, m.mode.unwrap_or(0));
        print!(" {}:{} {}", m.uid.unwrap_or(0), m.gid.unwrap_or(0), m.mtime.unwrap_or(0));
        print!(" {} bytes {} links", m.size, m.links.unwrap_or(1));
        if let Some(target) = &m.target {
            print!(" -> {}", printable(target));
        }
        if let Some((major, minor)) = m.device {
            print!(" {major},{minor}");
        }
        for (name, value) in &m.xattrs {
            print!(" {}={}", printable(name), hex(value));
        }
        for (name, value) in &m.more {
            print!(" {name}={value}");
        }
        println!();
        Ok(())
    })?;
    for part in tree.parts()? {
        match part.what {
            PartContent::Bytes(source) => {
                println!("{} at {:?}: {} bytes", part.name, part.place, source.size()?);
            }
            PartContent::SharedBlocks(blocks) => {
                let rests = blocks.into_iter().map(|mut block| Ok(block.rest()?.len()));
                let bytes: usize = rests.sum::<diskimage::Result<usize>>()?;
                println!("{}: {bytes} bytes", part.name);
            }
            PartContent::Tree(tree) => {
                println!("{}", part.name);
                show(&*tree)?;
            }
        }
    }
    Ok(())
}
