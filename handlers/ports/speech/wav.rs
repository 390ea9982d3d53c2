//! WAV files of 16-bit PCM: reading what a voice wrote, and writing one with a true header.
//!
//! In: bytes of a RIFF file, possibly streamed (sizes unknown when the header was written). Out: rate, channels and
//! samples. A file whose data is shorter than its header says is refused: half a phrase must not be cached.
//! Layout after the RIFF specification: <https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html>.

use std::ops::Range;

use bytes::Bytes;

/// From this size on a header's data size stands for "unknown, until the end": writers to a pipe use 0x7FFFF000
/// (espeak-ng) or 0xFFFFFFFF. It is 13 hours of audio, which nobody sends.
const STREAMED: u32 = 0x7FFF_0000;

/// A WAV file taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wav {
    /// Samples per second and channel.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u16,
    /// Bits per sample.
    pub bits: u16,
    /// Where the samples lie in the file.
    pub data: Range<usize>,
    /// True where the sizes in the header are those of the file.
    pub exact: bool,
}

/// Takes a file apart. The error says what is wrong with it, without any of its content.
pub fn parse(file: &[u8]) -> Result<Wav, &'static str> {
    if file.get(..4) != Some(b"RIFF") || file.get(8..12) != Some(b"WAVE") {
        return Err("no RIFF/WAVE header");
    }
    let riff_exact = u32_at(file, 4) == u32::try_from(file.len() - 8).ok();
    let mut format = None;
    let mut at = 12;
    while let Some(size) = u32_at(file, at + 4) {
        let start = at + 8;
        let left = file.len() - start;
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        match &file[at..at + 4] {
            b"fmt " => format = Some(read_format(file.get(start..start + 16).ok_or("a truncated format chunk")?)?),
            b"data" => {
                let (sample_rate, channels, bits) = format.ok_or("data before its format")?;
                let streamed = size == 0 || size >= STREAMED;
                if length > left && !streamed {
                    return Err("less data than its header says");
                }
                // A pipe may end inside a sample.
                let whole = if streamed { left - left % 2 } else { length };
                return Ok(Wav { sample_rate, channels, bits, data: start..start + whole, exact: riff_exact && !streamed });
            }
            _ => {}
        }
        // Chunks begin at even offsets.
        at = start.saturating_add(length).saturating_add(length % 2);
    }
    Err("no data chunk")
}

fn read_format(chunk: &[u8]) -> Result<(u32, u16, u16), &'static str> {
    let pcm = u16_at(chunk, 0) == Some(1);
    match (u32_at(chunk, 4), u16_at(chunk, 2), u16_at(chunk, 14)) {
        (Some(rate), Some(channels), Some(bits)) if pcm && rate > 0 && channels > 0 => Ok((rate, channels, bits)),
        _ => Err("a format that is not PCM"),
    }
}

/// The 16-bit samples in a range of bytes.
pub fn samples(data: &[u8]) -> Vec<i16> {
    data.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Writes a mono file of 16-bit samples. A comment goes into a `LIST/INFO` chunk behind the data, where simple players,
/// which expect 44 bytes of header, do not stumble over it.
pub fn write(sample_rate: u32, samples: &[i16], comment: Option<&str>) -> Bytes {
    let data = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX);
    let info = comment.map(info_chunk).unwrap_or_default();
    let info_size = u32::try_from(info.len()).unwrap_or(u32::MAX);
    let mut file = Vec::with_capacity(44 + samples.len() * 2 + info.len());
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&data.saturating_add(36).saturating_add(info_size).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    for part in [1_u16, 1] {
        file.extend_from_slice(&part.to_le_bytes());
    }
    file.extend_from_slice(&sample_rate.to_le_bytes());
    file.extend_from_slice(&sample_rate.saturating_mul(2).to_le_bytes());
    for part in [2_u16, 16] {
        file.extend_from_slice(&part.to_le_bytes());
    }
    file.extend_from_slice(b"data");
    file.extend_from_slice(&data.to_le_bytes());
    file.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
    file.extend_from_slice(&info);
    file.into()
}

/// A `LIST` chunk of type `INFO` with one comment, zero-terminated and padded to an even length.
fn info_chunk(comment: &str) -> Vec<u8> {
    let length = comment.len() + 1;
    let padded = length + length % 2;
    let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let mut chunk = Vec::with_capacity(padded + 20);
    chunk.extend_from_slice(b"LIST");
    chunk.extend_from_slice(&size(padded + 12));
    chunk.extend_from_slice(b"INFOICMT");
    chunk.extend_from_slice(&size(length));
    chunk.extend_from_slice(comment.as_bytes());
    chunk.resize(padded + 20, 0);
    chunk
}

/// Samples at another rate, by linear interpolation: good enough for a voice on a developer's machine.
pub fn resample(samples: &[i16], from: u32, to: u32) -> Vec<i16> {
    if from == to || samples.is_empty() || from == 0 {
        return samples.to_vec();
    }
    let (from, to) = (u64::from(from), u64::from(to));
    let count = samples.len() as u64 * to / from;
    let sample = |index: u64| i64::from(samples[usize::try_from(index).unwrap_or(usize::MAX).min(samples.len() - 1)]);
    (0..count)
        .map(|n| {
            let (index, rest) = (n * from / to, i64::try_from(n * from % to).unwrap_or(0));
            let (left, right) = (sample(index), sample(index + 1));
            // Between two samples, so always within their range.
            i16::try_from(left + (right - left) * rest / i64::try_from(to).unwrap_or(1)).unwrap_or(0)
        })
        .collect()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}
