//! Puts weights where a plan wants them.

use std::sync::Mutex;

use formats::disk::{Extent, ReadAhead, Section};

use crate::LoadError;
use crate::placement::OwnMemory;
use crate::weights::{Linear, Place};

/// What is read in every step.
pub(crate) struct Streamed {
    /// For each layer, its section, if not all of it is in memory.
    pub(crate) sections: Vec<Option<usize>>,
    pub(crate) ahead: Mutex<ReadAhead>,
}

/// Reads these matrices into memory of our own.
pub(crate) fn hold(linears: &mut [&mut Linear]) -> Result<(), LoadError> {
    let Some(section) = section(linears) else {
        return Ok(());
    };
    let bytes = section.read()?;
    for (linear, place) in linears.iter_mut().zip(section.places()) {
        let bytes = bytes.slice(place.clone());
        linear.put(Place::Memory(bytes.expect("places are in the section")));
    }
    Ok(())
}

/// Has rows of this matrix read as they are wanted.
pub(crate) fn leave_on_disk(linear: &mut Linear) {
    if let Some(extent) = linear.extent() {
        linear.put(Place::Disk(extent));
    }
}

/// Reads what stays of each layer and begins to read the rest; none if there is no rest.
pub(crate) fn share_out<'a>(
    layers: impl Iterator<Item = Vec<&'a mut Linear>>,
    plan: &OwnMemory,
) -> Result<Option<Streamed>, LoadError> {
    let (mut all, mut sections) = (Vec::new(), Vec::new());
    for (mut linears, &num_held) in layers.zip(&plan.num_held) {
        let (held, streamed) = linears.split_at_mut(num_held);
        hold(held)?;
        let section = section(streamed).filter(|section| !section.is_empty());
        sections.push(section.as_ref().map(|_| all.len()));
        for (linear, place) in streamed
            .iter_mut()
            .zip(section.iter().flat_map(Section::places))
        {
            linear.put(Place::Window(place.clone()));
        }
        all.extend(section);
    }
    if all.is_empty() {
        return Ok(None);
    }
    let ahead = ReadAhead::new(all, plan.num_buffers)?;
    let ahead = Mutex::new(ahead);
    Ok(Some(Streamed { sections, ahead }))
}

/// These matrices as they are on disk; none if they are in memory of our own.
fn section(linears: &[&mut Linear]) -> Option<Section> {
    let extents: Option<Vec<Extent>> = linears.iter().map(|linear| linear.extent()).collect();
    Some(Section::new(&extents?))
}
