//! The disk a spool is on.

use std::path::Path;

use crate::error::{Context, Result};

/// What a frame may need.
const ONE_FRAME: u64 = 1 << 20;

/// Free bytes of the disk, and the reserve below which nothing more is to be taken: the smaller
/// of 1 GiB and 5 % of the disk, but room for one frame.
///
/// # Errors
/// When the disk cannot be asked.
pub(crate) fn space(dir: &Path) -> Result<(u64, u64)> {
    let disk = rustix::fs::statvfs(dir).context(dir.display())?;
    let [free, total] = [disk.f_bavail, disk.f_blocks].map(|n| n.saturating_mul(disk.f_frsize));
    Ok((free, (total / 20).clamp(ONE_FRAME, 1 << 30)))
}
