//! Safetensors files and folders of them from outside, in one test binary.

mod checklist;
mod files;
mod folder;
mod fp8;
