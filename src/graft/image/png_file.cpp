#include "graft/image/png_file.h"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "graft/core/files.h"
#include "graft/image/pixels.h"

namespace graft {

void write_png(const at::Tensor& image, const std::filesystem::path& path) {
  const at::Tensor whole = contiguous_image(image, "write_png");
  cv::Mat bgr;
  cv::cvtColor(mat_of(whole), bgr, cv::COLOR_RGB2BGR);
  std::vector<unsigned char> bytes;
  cv::imencode(".png", bgr, bytes);
  replace_file(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace graft
