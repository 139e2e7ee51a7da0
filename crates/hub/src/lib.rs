//! Model name → local files.
//!
//! A name is parsed once into a [`ModelRef`]; a [`Hub`] turns that into a [`LocalModel`]: the GGUF
//! files, all there, all checked. Models live in the Hugging Face hub cache, so what another tool
//! downloaded is found here and the other way round, and no gigabyte lies on the disk twice.
//!
//! ```no_run
//! use hub::{Hub, ModelRef};
//!
//! let hub = Hub::from_env()?;
//! let model = hub.resolve(&ModelRef::parse("smollm2")?, &mut ())?;
//! println!("{}: {} bytes in {}", model.name, model.total_bytes, model.files[0].display());
//! # Ok::<(), hub::Error>(())
//! ```
//!
//! Left out: uploading, datasets, safetensors repositories, vision projectors (`mmproj` files).

#![forbid(unsafe_code)]

mod cache;
mod catalogue;
mod config;
mod error;
mod fetch;
mod hub;
mod local;
mod model_ref;
mod ollama;
mod package;
mod progress;
mod remote;
mod select;

pub use cache::{IncompleteDownload, Inventory, StoredModel};
pub use catalogue::{CATALOGUE, DEFAULT_MODEL, Entry, Package, Part};
pub use config::{Config, PipCommand, Retry, Source, Timeouts, Token};
pub use error::Error;
pub use hub::{Hub, LocalModel};
pub use model_ref::{ModelRef, RepoRef, Tag};
pub use progress::{Phase, Progress, Report};
