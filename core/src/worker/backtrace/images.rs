//! What was called, from a copy of a stack and the files with code.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};

use addr2line::Loader;
use framehop::{
    CacheNative, ExplicitModuleSectionInfo, FrameAddress, Module, UnwindRegsNative, Unwinder, UnwinderNative,
};
use object::{Object, ObjectSection, ObjectSegment, ReadCache};

use super::stack::Stack;

/// Most calls of one thread.
const MOST_CALLS: usize = 64;

/// A file with code that this process has mapped.
struct Image {
    path: String,
    /// Where it is.
    start: u64,
    end: u64,
    /// What its own addresses begin with here.
    bias: u64,
    names: Option<Loader>,
}

/// All of them.
pub struct Images {
    images: Vec<Image>,
    unwinder: UnwinderNative<Vec<u8>, framehop::MayAllocateDuringUnwind>,
}

impl Images {
    /// As they are mapped now.
    pub fn read() -> Images {
        let (mut images, mut unwinder) = (Vec::new(), UnwinderNative::new());
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        for (path, mappings) in mapped(&maps) {
            let Some((image, module)) = read(path, &mappings) else { continue };
            images.push(image);
            unwinder.add_module(module);
        }
        Images { images, unwinder }
    }

    /// A line a call, innermost first.
    pub fn calls(&mut self, stack: &Stack) -> String {
        let mut read_stack = |address: u64| {
            let at = usize::try_from(address.checked_sub(stack.sp).ok_or(())?).map_err(drop)?;
            let word = stack.bytes.get(at..at + 8).ok_or(())?;
            Ok(u64::from_ne_bytes(word.try_into().map_err(drop)?))
        };
        let mut cache = CacheNative::new();
        let registers = registers(stack);
        let mut calls = self.unwinder.iter_frames(stack.pc, registers, &mut cache, &mut read_stack);
        let mut addresses = Vec::new();
        while let Ok(Some(call)) = calls.next()
            && addresses.len() < MOST_CALLS
        {
            addresses.push(match call {
                FrameAddress::InstructionPointer(address) => address,
                // Of the call, not of what follows it.
                FrameAddress::ReturnAddress(address) => address.get() - 1,
            });
        }
        addresses.into_iter().map(|address| self.named(address)).collect()
    }

    fn named(&mut self, address: u64) -> String {
        let image = self.images.iter_mut().find(|image| (image.start..image.end).contains(&address));
        let Some(image) = image else { return format!("    {address:#x}\n") };
        let own = address - image.bias;
        let said = said(image, own);
        if said.is_empty() { format!("    {} + {own:#x}\n", image.path) } else { said }
    }
}

fn said(image: &mut Image, own: u64) -> String {
    if image.names.is_none() {
        image.names = Loader::new(&image.path).ok();
    }
    let mut said = String::new();
    let Some(names) = &image.names else { return said };
    // Several where calls were inlined.
    if let Ok(mut frames) = names.find_frames(own) {
        while let Ok(Some(frame)) = frames.next() {
            let Some(function) =
                frame.function.as_ref().and_then(|function| Some(function.demangle().ok()?.into_owned()))
            else {
                continue;
            };
            let _ = write!(said, "    {function}");
            if let Some(location) = frame.location
                && let (Some(file), Some(line)) = (location.file, location.line)
            {
                let _ = write!(said, " at {file}:{line}");
            }
            said.push('\n');
        }
    }
    if said.is_empty()
        && let Some(symbol) = names.find_symbol(own)
    {
        let _ = writeln!(said, "    {}", addr2line::demangle_auto(symbol.into(), None));
    }
    said
}

#[cfg(target_arch = "x86_64")]
fn registers(stack: &Stack) -> UnwindRegsNative {
    UnwindRegsNative::new(stack.pc, stack.sp, stack.fp)
}

#[cfg(target_arch = "aarch64")]
fn registers(stack: &Stack) -> UnwindRegsNative {
    UnwindRegsNative::new(stack.lr, stack.sp, stack.fp)
}

/// A part of a file in memory: start, end, offset in the file, and whether it is code.
type Mapping = (u64, u64, u64, bool);

/// The files that are mapped.
fn mapped(maps: &str) -> BTreeMap<&str, Vec<Mapping>> {
    let mut files: BTreeMap<&str, Vec<Mapping>> = BTreeMap::new();
    for line in maps.lines() {
        let Some(path) = line.find('/').map(|at| &line[at..]) else { continue };
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let mapping = words[0].split_once('-').and_then(|(start, end)| {
            Some((number(start)?, number(end)?, number(words.get(2)?)?, words.get(1)?.contains('x')))
        });
        files.entry(path).or_default().extend(mapping);
    }
    files.retain(|_, mappings| mappings.iter().any(|(.., is_code)| *is_code));
    files
}

fn read(path: &str, mappings: &[Mapping]) -> Option<(Image, Module<Vec<u8>>)> {
    let cache = ReadCache::new(File::open(path).ok()?);
    let object = object::File::parse(&cache).ok()?;
    let (code_start, code_end, code_offset, _) = *mappings.iter().find(|(.., is_code)| *is_code)?;
    let bias = object.segments().find_map(|segment| {
        let (offset, _) = segment.file_range();
        let within = offset.checked_sub(code_offset).filter(|within| *within < code_end - code_start)?;
        Some((code_start + within).wrapping_sub(segment.address()))
    })?;
    let start = mappings.iter().map(|(start, ..)| *start).min()?;
    let end = mappings.iter().map(|(_, end, ..)| *end).max()?;
    let section = |name: &str| object.section_by_name(name);
    let range = |name: &str| section(name).map(|found| found.address()..found.address() + found.size());
    let data = |name: &str| Some(section(name)?.uncompressed_data().ok()?.into_owned());
    let sections = ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: range(".text"),
        got_svma: range(".got"),
        eh_frame_svma: range(".eh_frame"),
        eh_frame: data(".eh_frame"),
        eh_frame_hdr_svma: range(".eh_frame_hdr"),
        eh_frame_hdr: data(".eh_frame_hdr"),
        ..ExplicitModuleSectionInfo::default()
    };
    let module = Module::new(path.to_owned(), start..end, bias, sections);
    Some((Image { path: path.to_owned(), start, end, bias, names: None }, module))
}
