/* tensors.h - how the readers of single formats fill a checkpoint. */
#ifndef RAG_MODEL_TENSORS_H
#define RAG_MODEL_TENSORS_H

#include "base/file.h"
#include "model/checkpoint.h"

/* Maps a file for as long as the checkpoint is open. RAG_MODEL, also for an empty file
 * and for a Git LFS pointer in place of the file. */
CHECKED rag_status checkpoint_map(struct checkpoint *checkpoint, const char *path,
                                  struct mapped_file *file, rag_error *error);

/* Adds a tensor whose bytes lie in a mapped file. `tensor` is complete but for its name,
 * which is `prefix` and then the normalised name. */
CHECKED rag_status checkpoint_add(struct checkpoint *checkpoint, const char *prefix,
                                  const char *name, size_t name_size,
                                  const struct tensor *tensor, rag_error *error);

/* Writes the normalised form of a tensor's name. False: longer than CHECKPOINT_MAX_NAME,
 * or with a NUL in it. */
CHECKED bool tensor_normalise_name(const char *prefix, const char *name, size_t name_size,
                                   char out[CHECKPOINT_MAX_NAME + 1]);

/* The product of the shape, and times the bytes of an element, into `elements` and
 * `bytes`. False: overflow. */
CHECKED bool tensor_measure(struct tensor *tensor, uint64_t element_bytes);

/* An empty checkpoint, and putting its tensors in order once all are added. RAG_MODEL if
 * two have one name. */
CHECKED rag_status checkpoint_new(struct checkpoint **out, rag_error *error);
CHECKED rag_status checkpoint_finish(struct checkpoint *checkpoint, rag_error *error);

/* The readers. Messages name what is wrong inside the file; the caller adds the path. */
CHECKED rag_status safetensors_read(struct checkpoint *checkpoint, const unsigned char *data,
                                    size_t size, rag_error *error);
CHECKED rag_status torch_read(struct checkpoint *checkpoint, const char *prefix,
                              const unsigned char *data, size_t size, rag_error *error);

#endif
