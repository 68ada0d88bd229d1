// The C interface of the routines that carry a correspondence to a photo's full size (ops/carrying.py mirrors these
// structs field by field). The NumPy code beside each caller is the reference; both agree bit for bit.
#pragma once
#include <cstdint>

extern "C" {

// Offsets of network pixels made coherent (pipeline/coherence.py).
struct LbCoherence {
  const uint8_t* wanted;   // (H + 4, W + 4, 3), two pixels of border
  const uint8_t* offered;  // (Hk + 4, Wk + 4, 3), the same
  const int32_t* edited;   // (H, W) label ids
  const int32_t* layout;   // (Hk, Wk)
  const uint8_t* mask;     // (H, W)
  const uint8_t* source;   // (Hk, Wk)
  int32_t* keys;           // (H, W) packed y << 16 | x; in and out
  const int32_t* strides;  // count
  int32_t height, width, key_height, key_width, count;
  int32_t smoothness;  // cost of a neighbour with another offset
  int32_t unknown;     // the label that fits all
  int32_t threads;     // 0: LAYOUTBRUSH_NUM_THREADS or the number of cores
};

// Rows of a photo and the network pixels ("cells") whose offsets they follow (pipeline/seams.py). Arrays of the rows have
// a border of one pixel, so that h = rows + 2, w = columns + 2.
struct LbBand {
  const uint8_t* visible;      // (h, w, 3) the photo that is edited
  const uint8_t* labels;       // (h, w) edited label ids
  const uint8_t* state;        // (h, w) 0 = stays visible, 1 = to be filled, 2 = counts for nothing
  const int32_t* row_cells;    // (h) the cell that owns a row
  const int32_t* column_cells; // (w)
  const int32_t* row_low;      // (h) the lower one of the two cells around a row's centre
  const int32_t* column_low;   // (w)
  const int32_t* row_part;     // (h) how far it is on the way to the next one, 0 to 256
  const int32_t* column_part;  // (w)
  const uint8_t* key;          // (Hk, Wk, 3) the photo that is copied from
  const uint8_t* key_labels;   // (Hk, Wk) or null
  const uint8_t* key_usable;   // (Hk, Wk) or null
  const int32_t* down;         // (ch, cw) offset of a cell in pixels
  const int32_t* right;        // (ch, cw)
  const int32_t* tint;         // (ch, cw, 3) what is added to its pixels, in sixteenths
  const uint8_t* cell_labels;  // (ch, cw)
  const uint8_t* cells;        // (ch, cw) whether a cell has an offset
  int32_t* choice;             // (h, w) the cell whose offset a pixel follows, or -1; its first row is given
  uint8_t* out;                // (h - 2, w - 2, 3)
  int64_t height, width, key_height, key_width, cells_high, cells_wide;
  int64_t top, left;                          // of the arrays of the rows, in the frame of the offsets
  int64_t low_y, low_x, high_y, high_x;       // where pixels may be fetched
  int32_t passes, reach, label_cost, unusable_cost, unknown;
  int32_t threads;
};

// Each returns 0, or 1 with "argument: reason" written into error.
int lb_coherent(const LbCoherence* call, char* error, uint64_t error_size);
int lb_settle(const LbBand* call, char* error, uint64_t error_size);
int lb_paint(const LbBand* call, char* error, uint64_t error_size);

}  // extern "C"
