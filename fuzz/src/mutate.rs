//! Inputs for the smoke test: those of a corpus, changed a little, the same ones in
//! every run.

/// Makes inputs.
#[derive(Debug)]
pub struct Mutator {
    state: u64,
}

/// What parsers here look for.
const TOKENS: [&[u8]; 24] = [
    b"../",
    b"../outside/canary",
    b"/",
    b"usr/out/canary",
    b"absolute/canary",
    b".wh.",
    b".wh..wh..opq",
    b".wh..wh.plnk/1",
    b"\0",
    b"\n",
    b"=",
    b"0",
    b"-1",
    b"7777777777777777777777",
    b"\x80\0\0\0\0\0\0\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"12 path=a/b\n",
    b"9 size=9\n",
    b"${a:-b}",
    b"<<EOF\n",
    b"\\\n",
    b"\"",
    b"{}",
    b"[]",
];

/// Where tar headers have their fields.
const FIELDS: [usize; 9] = [0, 100, 108, 116, 124, 136, 156, 157, 345];

const MAX_LEN: usize = 64 << 10;

impl Mutator {
    /// With its seed, all inputs are determined.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// The next number (xorshift64*, Vigna 2016).
    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 11).unwrap_or(0) % end
    }

    /// A new input: one of the corpus changed, or noise.
    pub fn input(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        if corpus.is_empty() || self.below(8) == 0 {
            let len = 1 << self.below(12);
            return (0..len).map(|_| self.next().to_le_bytes()[7]).collect();
        }
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            self.change(&mut input, corpus);
        }
        input.truncate(MAX_LEN);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        if input.is_empty() {
            input.push(0);
        }
        let at = self.below(input.len());
        let most = 1 << self.below(11);
        let len = 1 + self.below(most);
        let end = (at + len).min(input.len());
        match self.below(9) {
            0 => input[at] ^= 1 << self.below(8),
            1 => input[at] = self.next().to_le_bytes()[7],
            2 => drop(input.drain(at..end)),
            3 => {
                let copy = input[at..end].to_vec();
                let to = self.below(input.len());
                input.splice(to..to, copy);
            }
            4 => {
                let token = TOKENS[self.below(TOKENS.len())];
                input.splice(at..at, token.iter().copied());
            }
            5 => {
                let token = TOKENS[self.below(TOKENS.len())];
                overwrite(input, at, token);
            }
            // A field of a header, behind the byte that chooses.
            6 => {
                let token = TOKENS[self.below(TOKENS.len())];
                let field = at / 512 * 512 + 1 + FIELDS[self.below(FIELDS.len())];
                overwrite(input, field, token);
            }
            // Whole blocks, from elsewhere.
            7 => {
                let other = &corpus[self.below(corpus.len())];
                let blocks = other.len().saturating_sub(1) / 512;
                if blocks > 0 {
                    let from = 1 + 512 * self.below(blocks);
                    let to = (at / 512 * 512 + 1).min(input.len());
                    let count = 512 * (1 + self.below(4));
                    let piece = other[from..(from + count).min(other.len())].to_vec();
                    input.splice(to..to, piece);
                }
            }
            _ => input.truncate(at),
        }
    }
}

fn overwrite(input: &mut [u8], at: usize, token: &[u8]) {
    for (byte, new) in input.iter_mut().skip(at).zip(token) {
        *byte = *new;
    }
}
