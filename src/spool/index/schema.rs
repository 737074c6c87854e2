//! Tables of `index.sqlite`. Everything in it is derived from the segments.

use crate::spool::types::GapKind;

/// Marks the file as ours ("bsnc").
pub(crate) const APPLICATION_ID: i64 = 0x6273_6E63;
/// An index of another version is built anew.
pub(crate) const VERSION: i64 = 13;
/// Most tables are small, and so may a spool be.
pub(crate) const PAGE: u32 = 1024;

/// The tables that the segments alone decide, each with the columns of its key. What is followed at a
/// border may point at messages that were pruned since.
pub(crate) const KEYS: [(&str, &str); 21] = [
    ("meta", "1"),
    ("segments", "1"),
    ("frames", "1"),
    ("zones", "1, 2"),
    ("positions", "1, 2, 3, 4"),
    ("strays", "1, 2, 3, 4"),
    ("tables", "1"),
    ("ddl", "1"),
    ("bootstraps", "1"),
    ("epochs", "1"),
    ("gaps", "1, 2"),
    ("damaged", "1"),
    ("bad_frames", "1, 2"),
    ("forgotten", "1"),
    ("biggest", "1, 2, 3"),
    ("frame_keys", "1"),
    ("key_runs", "1"),
    ("key_columns", "1, 2"),
    ("image_widths", "1, 2"),
    ("nulls", "1"),
    ("sources", "1"),
];

/// Every row ends with the checksum of its other columns. `segments.bytes` is how far a segment is indexed. `frames.event_*` is the count of rows in the
/// event under way where the frame begins, `arrival` and `latest` are the first and the last arrival of the
/// frames that were joined into it. `positions` has a row for each frame and chain of
/// rising positions in it; a row that fits no chain is a stray. `frames.transactions` is packed and
/// compressed. `zones` has what each frame (level 0) and each segment (level 1) holds in bounds and
/// sums (see [`super::zone`]). `ddl.message` is the message itself, compressed, so that definitions
/// need no frame. `biggest` holds the transactions with the most rows of each segment. `frame_keys`
/// has the keys of each frame of the last segment; those of a full segment are merged into
/// `key_runs`, whose id is the segment's first sequence and the least hash that the run may have
/// (see [`super::keys`]), `upto` that of the next one, and `segments.blocks` their number, as
/// `segments.biggest` that of those: what is looked for and not there is told from what is missing. `key_columns` are the columns that keys of a table were made of, with the
/// sequence from which on. `image_widths` tells how many columns a table's row images have, with
/// the first and the last message of each number; 0 stands for updates without former values. `nulls`
/// tells since which message NULLs are shown, or left out. `forgotten` are stretches that were taken
/// out of the spool.
pub(crate) const TABLES: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value, sum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE segments(first INTEGER PRIMARY KEY, generation INTEGER NOT NULL, bytes INTEGER NOT NULL,
  frames INTEGER NOT NULL, raw INTEGER NOT NULL, resends INTEGER NOT NULL,
  blocks INTEGER NOT NULL, biggest INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE borders(first INTEGER PRIMARY KEY, state BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE frames(
  first INTEGER PRIMARY KEY, records INTEGER NOT NULL,
  segment INTEGER NOT NULL, offset INTEGER NOT NULL, len INTEGER NOT NULL,
  raw INTEGER NOT NULL, crc INTEGER NOT NULL, arrival INTEGER NOT NULL, latest INTEGER NOT NULL, queue TEXT, source TEXT,
  event TEXT NOT NULL,
  resend BLOB NOT NULL, damaged BLOB NOT NULL, transactions BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE zones(level INTEGER, first INTEGER, records INTEGER NOT NULL, zone BLOB NOT NULL,
  sum INTEGER NOT NULL, PRIMARY KEY(level, first)) WITHOUT ROWID;
CREATE TABLE positions(
  chain INTEGER, file_max INTEGER, offset_max INTEGER, frame INTEGER,
  file_min INTEGER NOT NULL, offset_min INTEGER NOT NULL, sum INTEGER NOT NULL,
  PRIMARY KEY(chain, file_max, offset_max, frame)) WITHOUT ROWID;
CREATE TABLE strays(
  file INTEGER, offset INTEGER, ord INTEGER, seq INTEGER, sum INTEGER NOT NULL,
  PRIMARY KEY(file, offset, ord, seq)) WITHOUT ROWID;
CREATE TABLE tables(id INTEGER PRIMARY KEY, database TEXT NOT NULL, name TEXT NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE ddl(
  seq INTEGER PRIMARY KEY, grp INTEGER NOT NULL, epoch INTEGER NOT NULL,
  file INTEGER, offset INTEGER, hash INTEGER NOT NULL, op TEXT NOT NULL, sql TEXT NOT NULL,
  message BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE INDEX ddl_position ON ddl(file, offset);
CREATE TABLE bootstraps(start INTEGER PRIMARY KEY, tab INTEGER NOT NULL, complete INTEGER, stop INTEGER,
  sum INTEGER NOT NULL);
CREATE TABLE epochs(number INTEGER PRIMARY KEY, first INTEGER NOT NULL, base TEXT, server INTEGER,
  reason TEXT NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE gaps(seq INTEGER, kind INTEGER, detail TEXT NOT NULL, sum INTEGER NOT NULL,
  PRIMARY KEY(seq, kind)) WITHOUT ROWID;
CREATE TABLE damaged(seq INTEGER PRIMARY KEY, frame INTEGER NOT NULL, len INTEGER NOT NULL,
  reason TEXT NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE bad_frames(
  segment INTEGER, offset INTEGER, bytes INTEGER NOT NULL,
  lost_from INTEGER NOT NULL, lost_to INTEGER NOT NULL, reason TEXT NOT NULL, sum INTEGER NOT NULL,
  PRIMARY KEY(segment, offset)) WITHOUT ROWID;
CREATE TABLE forgotten(first INTEGER PRIMARY KEY, records INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE biggest(segment INTEGER, rows INTEGER, last INTEGER, sum INTEGER NOT NULL,
  PRIMARY KEY(segment, rows, last)) WITHOUT ROWID;
CREATE TABLE frame_keys(first INTEGER PRIMARY KEY, keys BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE key_runs(id INTEGER PRIMARY KEY, upto INTEGER NOT NULL, run BLOB NOT NULL,
  sum INTEGER NOT NULL);
CREATE TABLE key_columns(tab INTEGER, columns TEXT, since INTEGER NOT NULL, sum INTEGER NOT NULL,
  PRIMARY KEY(tab, columns)) WITHOUT ROWID;
CREATE TABLE image_widths(tab INTEGER, width INTEGER, first INTEGER NOT NULL, last INTEGER NOT NULL,
  sum INTEGER NOT NULL, PRIMARY KEY(tab, width)) WITHOUT ROWID;
CREATE TABLE nulls(seq INTEGER PRIMARY KEY, shown INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE sources(name TEXT PRIMARY KEY, end INTEGER NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;
";

/// Kinds of gaps by number: in the order in which one record shows them.
pub(crate) const GAP_KINDS: [GapKind; 5] = [
    GapKind::PositionBack,
    GapKind::NoCommit,
    GapKind::XoffsetJump,
    GapKind::MaybeTwice,
    GapKind::Late,
];
