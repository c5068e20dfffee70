//! Readers, splits and loading on folders made here: names, orders and counts are those of the published sets, the
//! images are empty files unless something is decoded.

mod incomplete;
mod lists;
mod loading;
mod readers;
mod splits;
mod trees;
