//! The events of a binlog file, and the messages they become.

use super::{
    Switches, ddl,
    definitions::{Schema, Table},
    text::{list, quoted},
    values::{Decoder, Image},
};
use mysql_common::binlog::{
    BinlogFile, EventStreamReader,
    consts::{BinlogVersion, EventType},
    events::{Event, EventData, QueryEvent, RowsEventData, TableMapEvent, XidEvent},
};
use std::{
    fmt::Write,
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

/// One row change, waiting for its commit.
struct RowChange {
    head: String,
    tail: String,
}

struct Converter<'a, 'd> {
    file: &'a str,
    schemas: &'a [Schema],
    /// Statements that changed definitions so far: the number of the schema in force.
    defined: usize,
    thread: Option<u32>,
    open: Vec<RowChange>,
    decoder: &'a mut Decoder<'d>,
    switches: Switches,
    out: String,
}

/// All messages of the file.
pub(super) fn lines(
    path: &Path,
    file: &str,
    schemas: &[Schema],
    decoder: &mut Decoder<'_>,
    switches: Switches,
) -> String {
    let (open, out) = (Vec::new(), String::new());
    let mut converter =
        Converter { file, schemas, defined: 0, thread: None, open, decoder, switches, out };
    let opened = BufReader::new(File::open(path).unwrap());
    let mut events = BinlogFile::new(BinlogVersion::Version4, opened).unwrap();
    while let Some(event) = events.next() {
        converter.take(&event.unwrap(), events.reader());
    }
    assert!(converter.open.is_empty(), "the binlog ends inside a transaction");
    assert_eq!(converter.defined + 1, schemas.len(), "definitions changed and were not seen");
    converter.out
}

/// A file that is being written, as far as it was read.
pub(super) struct Tail {
    path: PathBuf,
    file: String,
    offset: u64,
    reader: EventStreamReader,
    schemas: Vec<Schema>,
    defined: usize,
    thread: Option<u32>,
    open: Vec<RowChange>,
}

impl Tail {
    pub(super) fn new(path: PathBuf, file: String, schema: Schema) -> Tail {
        let reader = EventStreamReader::new(BinlogVersion::Version4);
        let (schemas, open) = (vec![schema], Vec::new());
        // Behind the magic number.
        Tail { path, file, offset: 4, reader, schemas, defined: 0, thread: None, open }
    }

    /// The messages of what has been written since.
    pub(super) fn more(&mut self, decoder: &mut Decoder<'_>) -> String {
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.offset)).unwrap();
        let (mut written, mut out) = (Vec::new(), String::new());
        file.read_to_end(&mut written).unwrap();
        let mut rest = &written[..];
        // The length of an event stands in its head; the last one may not be there as a whole.
        while let Some(length) = rest.get(9..13) {
            let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
            let Some(bytes) = rest.get(..length) else { break };
            let event = self.reader.read(bytes).unwrap().expect("an event");
            rest = &rest[length..];
            self.offset += length as u64;
            self.learn(&event, decoder);
            let mut converter = Converter {
                file: &self.file,
                schemas: &self.schemas,
                defined: self.defined,
                thread: self.thread,
                open: std::mem::take(&mut self.open),
                decoder: &mut *decoder,
                switches: Switches::ALL,
                out: std::mem::take(&mut out),
            };
            converter.take(&event, &self.reader);
            (self.defined, self.thread) = (converter.defined, converter.thread);
            (self.open, out) = (converter.open, converter.out);
        }
        out
    }

    /// Asks for the definitions that a statement has left; nobody may have changed them since.
    fn learn(&mut self, event: &Event, decoder: &mut Decoder<'_>) {
        if event.header().event_type() != Ok(EventType::QUERY_EVENT) {
            return;
        }
        let query: QueryEvent<'_> = event.read_event().unwrap();
        let sql = query.query();
        if ddl::defines(&sql) {
            let before = self.schemas.last().unwrap();
            let mut schema = Schema::read(decoder.session);
            // A statement is in the binlog before it is done, and the next one may be at work.
            for _ in 0..50 {
                sleep(Duration::from_millis(10));
                let again = Schema::read(decoder.session);
                let settled = again.is(&schema) && !schema.is(before);
                schema = again;
                if settled {
                    break;
                }
            }
            schema.keep_words(before, &ddl::words(&sql));
            self.schemas.push(schema);
        }
    }
}

impl Converter<'_, '_> {
    fn take(&mut self, event: &Event, reader: &EventStreamReader) {
        match event.header().event_type() {
            Ok(EventType::QUERY_EVENT) => self.query(event, &event.read_event().unwrap()),
            Ok(EventType::XID_EVENT) => {
                let xid: XidEvent = event.read_event().unwrap();
                self.commit(Some(xid.xid));
            }
            Ok(EventType::TRANSACTION_PAYLOAD_EVENT) => panic!("a compressed binlog"),
            Ok(_) => {
                if let Some(EventData::RowsEvent(rows)) = event.read_data().unwrap() {
                    let map = reader.get_tme(rows.table_id()).expect("a table map");
                    self.rows(event, &rows, map);
                }
            }
            // MariaDB's own events: what the row events around them do not say is not in the messages.
            Err(_) => {}
        }
    }

    fn position(&self, event: &Event) -> String {
        format!("\"{}:{}\"", self.file, event.header().log_pos() - event.header().event_size())
    }

    fn query(&mut self, event: &Event, query: &QueryEvent<'_>) {
        let sql = query.query();
        match sql.as_ref() {
            "BEGIN" => self.thread = Some(query.thread_id()),
            "COMMIT" => self.commit(None),
            sql if ddl::defines(sql) => self.define(event, sql, &query.schema()),
            _ => {}
        }
    }

    fn define(&mut self, event: &Event, sql: &str, current: &str) {
        let [before, after] = [0, 1].map(|step| &self.schemas[self.defined + step]);
        self.defined += 1;
        let (ts, position) = (event.header().timestamp(), self.position(event));
        for message in ddl::messages(sql, current, before, after) {
            writeln!(
                self.out,
                "{{{message},\"ts\":{ts}000,\"sql\":{},\"position\":{position},\"schema_id\":{}}}",
                quoted(sql),
                self.defined
            )
            .unwrap();
        }
    }

    fn rows(&mut self, event: &Event, rows: &RowsEventData<'_>, map: &TableMapEvent<'_>) {
        let (database, name) = (map.database_name(), map.table_name());
        let table = self.schemas[self.defined].table(&database, &name);
        let (kind, images) = match rows {
            RowsEventData::WriteRowsEvent(_) | RowsEventData::WriteRowsEventV1(_) => ("insert", 1),
            RowsEventData::DeleteRowsEvent(_) | RowsEventData::DeleteRowsEventV1(_) => {
                ("delete", 1)
            }
            RowsEventData::UpdateRowsEvent(_) | RowsEventData::UpdateRowsEventV1(_) => {
                ("update", 2)
            }
            RowsEventData::PartialUpdateRowsEvent(_) => panic!("a partial update"),
        };
        // Which columns the images have: all, unless binlog_row_image is MINIMAL or NOBLOB.
        let [first, last] = match (rows.columns_before_image(), rows.columns_after_image()) {
            (Some(before), Some(after)) => [before, after],
            (Some(only), None) | (None, Some(only)) => [only, only],
            (None, None) => panic!("rows without columns"),
        }
        .map(|columns| columns.iter().by_vals().collect::<Vec<bool>>());
        let mut data = rows.rows_data();
        while !data.is_empty() {
            let mut image = |present| self.decoder.row(table, map, present, &mut data);
            let before = (images == 2).then(|| image(&first));
            let after = image(&last);
            let head = format!(
                "{{\"database\":{},\"table\":{},\"type\":\"{kind}\",\"ts\":{}",
                quoted(&database),
                quoted(&name),
                event.header().timestamp()
            );
            let tail = self.tail(event, table, before, after);
            self.open.push(RowChange { head, tail });
        }
    }

    /// What follows xid and xoffset.
    fn tail(&self, event: &Event, table: &Table, before: Option<Image>, after: Image) -> String {
        let mut text = format!(
            ",\"position\":{},\"server_id\":{}",
            self.position(event),
            event.header().server_id()
        );
        if let Some(thread) = self.thread {
            write!(text, ",\"thread_id\":{thread}").unwrap();
        }
        let before = before.unwrap_or_default();
        let former = |place: usize| before.get(place).and_then(Option::as_ref);
        let present = |place: &usize| after[*place].is_some();
        let places = || 0..after.len();
        // What only the former image has says which row it is: it comes behind the others.
        let only_before = places().filter(|place| !present(place) && former(*place).is_some());
        let data = places().filter(present).chain(only_before);
        let data = data.map(|place| (place, after[place].as_ref().or(former(place)).unwrap()));
        let changed = places()
            .filter(|place| present(place) && former(*place) != after[*place].as_ref())
            .filter_map(|place| Some((place, former(place)?)));
        let (data, changed): (Vec<_>, Vec<_>) = (data.collect(), changed.collect());
        let field = |&(place, value): &(usize, &String)| {
            let shown = self.switches.nulls || value != "null";
            shown.then(|| format!("{}:{value}", quoted(&table.columns[place].name)))
        };
        let key = |name: &String| {
            let value = data.iter().find(|(place, _)| *place == table.place(name));
            value.map_or("null".to_owned(), |(_, value)| (*value).clone())
        };
        write!(
            text,
            ",\"schema_id\":{},\"primary_key\":[{}],\"primary_key_columns\":[{}],\"data\":{{{}}}",
            self.defined,
            list(table.key.iter().map(key)),
            list(table.key.iter().map(|name| quoted(name))),
            list(data.iter().filter_map(field))
        )
        .unwrap();
        if !changed.is_empty() {
            write!(text, ",\"old\":{{{}}}", list(changed.iter().filter_map(field))).unwrap();
        }
        text + "}"
    }

    fn commit(&mut self, xid: Option<u64>) {
        let last = self.open.len().saturating_sub(1);
        for (place, RowChange { head, tail }) in self.open.drain(..).enumerate() {
            self.out.push_str(&head);
            if self.switches.commit_info {
                if let Some(xid) = xid {
                    write!(self.out, ",\"xid\":{xid}").unwrap();
                }
                match place == last {
                    true => self.out.push_str(",\"commit\":true"),
                    false => write!(self.out, ",\"xoffset\":{place}").unwrap(),
                }
            }
            self.out.push_str(&tail);
            self.out.push('\n');
        }
        self.thread = None;
    }
}
