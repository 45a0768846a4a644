//! Bitstream parsers for live media: H.264 and AAC; bytes in, plain structs out.
