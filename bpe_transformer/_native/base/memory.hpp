// Large arrays of plain data, in huge pages where the system has them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace bpe {

inline constexpr size_t kLargePage = size_t{2} << 20;

// Asks for huge pages in this memory, as a hint.
inline void prefer_large_pages(void* data, size_t bytes) {
#ifdef __linux__
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + kLargePage - 1) & ~(kLargePage - 1);
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) & ~(kLargePage - 1);
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#else
  (void)data, (void)bytes;
#endif
}

// An array of zeros that begins on a boundary of kAlign bytes. Pages cost nothing until they are touched.
template <class T, size_t kAlign>
class ZeroedArray {
 public:
  ZeroedArray() = default;
  explicit ZeroedArray(size_t size) : size_(size) {
    const size_t bytes = size * sizeof(T), align = bytes >= kLargePage ? kLargePage : kAlign;
    memory_ = std::calloc(bytes + align, 1);
    if (!memory_) throw std::bad_alloc();
    data_ = reinterpret_cast<T*>((reinterpret_cast<uintptr_t>(memory_) + align - 1) & ~(align - 1));
    if (bytes >= kLargePage) prefer_large_pages(data_, bytes);
  }
  ~ZeroedArray() { std::free(memory_); }
  ZeroedArray(ZeroedArray&& other) noexcept { swap(other); }
  ZeroedArray& operator=(ZeroedArray&& other) noexcept {
    swap(other);
    return *this;
  }
  void swap(ZeroedArray& other) noexcept {
    std::swap(memory_, other.memory_), std::swap(data_, other.data_), std::swap(size_, other.size_);
  }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  void* memory_ = nullptr;
  T* data_ = nullptr;
  size_t size_ = 0;
};

// A growing array of ids. After reserve() ids may be written past the end, and resize() takes them in.
class IdBuffer {
 public:
  IdBuffer() = default;
  ~IdBuffer() { std::free(data_); }
  IdBuffer(IdBuffer&& other) noexcept { swap(other); }
  IdBuffer& operator=(IdBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  uint32_t* data() { return data_; }
  const uint32_t* data() const { return data_; }
  size_t size() const { return size_; }
  void push_back(uint32_t id) {
    reserve(1);
    data_[size_++] = id;
  }
  void append(const uint32_t* ids, size_t count) {
    if (!count) return;
    reserve(count);
    std::memcpy(data_ + size_, ids, count * sizeof(uint32_t));
    size_ += count;
  }
  void drop(size_t count) {  // the first `count`
    size_ -= count;
    if (size_) std::memmove(data_, data_ + count, size_ * sizeof(uint32_t));
  }
  void resize(size_t size) { size_ = size; }  // to at most the size before and what was reserved
  // Makes room for `more` ids after the last.
  void reserve(size_t more) {
    if (capacity_ - size_ < more) grow(size_ + more);
  }
  size_t capacity() const { return capacity_; }

 private:
  void swap(IdBuffer& other) noexcept {
    std::swap(data_, other.data_), std::swap(size_, other.size_), std::swap(capacity_, other.capacity_);
  }
  static constexpr size_t kMany = size_t{1} << 18, kVeryMany = size_t{1} << 23;
  void grow(size_t wanted) {
    // Moving megabytes costs more than address space that is never touched.
    const size_t more = capacity_ >= kMany && capacity_ < kVeryMany ? 3 * capacity_ : capacity_ / 2;
    const size_t capacity = std::max<size_t>({wanted, capacity_ + more, 64});
    void* const data =
        std::realloc(data_, capacity * sizeof(uint32_t));  // for large arrays the system moves pages instead of copying
    if (!data) throw std::bad_alloc();
    data_ = static_cast<uint32_t*>(data);
    capacity_ = capacity;
    if (capacity * sizeof(uint32_t) >= 2 * kLargePage) prefer_large_pages(data_, capacity * sizeof(uint32_t));
  }
  uint32_t* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

}  // namespace bpe
