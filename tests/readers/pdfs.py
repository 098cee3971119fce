"""PDFs without text, for tests of what rag makes of them."""
import shutil
import subprocess
import zlib


def blank_pdf():
    """A PDF of one page with nothing on it, as a scan has no text."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>"]
    return pdf_of(objects)


def pdf_of(objects):
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


def picture_pdf(pgm):
    """A PDF with a picture on its only page, as scanners make them."""
    kind, size, _, pixels = pgm.split(b"\n", 3)
    assert kind == b"P5"
    width, height = size.split()
    data = zlib.compress(pixels)
    content = b"q 600 0 0 800 0 0 cm /I Do Q"
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /XObject << /I 5 0 R >> >> >>",
               b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
               b"<< /Type /XObject /Subtype /Image /Width %s /Height %s /ColorSpace /DeviceGray /BitsPerComponent 8 "
               b"/Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (width, height, len(data), data)]
    return pdf_of(objects)


def missing_program():
    """What is not installed of what reading a scan takes, or None."""
    return next((name for name in ("pdftoppm", "tesseract") if not shutil.which(name)), None)


def scan(pdf):
    """A scan of the first page of a PDF."""
    return picture_pdf(subprocess.run(["pdftoppm", "-r", "150", "-gray", "-f", "1", "-l", "1", pdf],
                                      check=True, stdout=subprocess.PIPE).stdout)
