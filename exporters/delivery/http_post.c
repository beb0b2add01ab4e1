#include "exporters/delivery/http_post.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * One easy handle, used again and again in a multi handle of its own, as only that can be waited
 * for in short steps: the agent's end is seen within PATIENCE_STEP_MS. The answer's body is kept up
 * to ANSWER_MAX and then the connection is dropped: a status has been seen, the rest is not wanted.
 */

#define ANSWER_MAX ((size_t)64 << 10)
#define MS_PER_SECOND 1000
#define PATIENCE_STEP_MS 100
/* A field of our own, terminator included. */
#define FIELD_SIZE 256
/* A receiver that wants to be left alone for longer is asked again all the same. */
#define RETRY_AFTER_MAX_S 86400

struct http_post {
    struct http_post_options options;
    CURL *curl;
    CURLM *multi; /* keeps the connection */
    struct header_list *headers;
    struct curl_slist *lines;
    struct compressor compressor;
    struct byte_writer compressed;
    struct byte_writer answer;
    bool answer_cut;
    struct http_post_reply reply;
    char error[CURL_ERROR_SIZE];
};

/* ---- callbacks ---- */

static size_t on_answer(char *bytes, size_t size, size_t count, void *context)
{
    struct http_post *post = context;
    size_t length = size * count;
    if (post->answer.length + length > ANSWER_MAX) {
        post->answer_cut = true;
        return 0;
    }
    byte_writer_append(&post->answer, bytes, length);
    return length;
}

/* ---- fields ---- */

static bool add_line(struct curl_slist **lines, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*lines, line);
    *lines = longer == NULL ? *lines : longer;
    return longer != NULL;
}

static bool add_field(struct curl_slist **lines, const char *name, const char *value)
{
    char line[FIELD_SIZE];
    snprintf(line, sizeof(line), "%s: %s", name, value);
    return add_line(lines, line);
}

/* Our own fields, then the user's, which may replace them. */
static struct curl_slist *new_lines(const struct http_post *post)
{
    struct curl_slist *lines = NULL;
    const char *coding = compression_name(post->options.compression);
    /* The empty one: no waiting for 100 (Continue) in front of a large body. */
    bool added = add_line(&lines, "Expect:") &&
                 add_field(&lines, "Content-Type", post->options.content_type) &&
                 (coding == NULL || add_field(&lines, "Content-Encoding", coding));
    for (size_t i = 0; added && i < post->options.header_count; i++) {
        added = add_line(&lines, header_list_line(post->headers, i));
    }
    if (!added) {
        curl_slist_free_all(lines);
        return NULL;
    }
    return lines;
}

/* Returns false when the request cannot be made now; the reply says why. */
static bool refresh_fields(struct http_post *post)
{
    const char *path = "";
    int status = header_list_refresh(post->headers, &path);
    if (status < 0) {
        snprintf(post->reply.error, sizeof(post->reply.error), "cannot read %s: %s", path,
                 strerrordesc_np(-status));
        return false;
    }
    if (status == 0 && post->lines != NULL) {
        return true;
    }
    struct curl_slist *lines = new_lines(post);
    if (lines == NULL) {
        snprintf(post->reply.error, sizeof(post->reply.error), "out of memory");
        return false;
    }
    curl_easy_setopt(post->curl, CURLOPT_HTTPHEADER, lines);
    curl_slist_free_all(post->lines);
    post->lines = lines;
    return true;
}

/* ---- one exchange ---- */

static int64_t retry_after_of(CURL *curl)
{
    curl_off_t seconds = 0;
    if (curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0) {
        return 0;
    }
    seconds = seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
    return (int64_t)seconds * MS_PER_SECOND;
}

static enum http_post_result judge(long status)
{
    if (status >= 200 && status < 300) {
        return HTTP_POST_ACCEPTED;
    }
    bool later = status == 0 || status == 408 || status == 425 || status == 429 || status >= 500;
    return later ? HTTP_POST_RETRY : HTTP_POST_REFUSED;
}

static bool encode(struct http_post *post, struct text *body)
{
    if (post->options.compression == COMPRESSION_NONE) {
        return true;
    }
    byte_writer_reset(&post->compressed);
    if (compressor_append(&post->compressor, *body, &post->compressed) != 0) {
        snprintf(post->reply.error, sizeof(post->reply.error), "out of memory");
        return false;
    }
    *body = (struct text){post->compressed.data, post->compressed.length};
    return true;
}

static bool has_patience(const struct http_post *post)
{
    return post->options.patience_ms == NULL ||
           post->options.patience_ms(post->options.context) > 0;
}

/* As curl_easy_perform, until the patience is over. */
static CURLcode transfer(struct http_post *post)
{
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    int running = 1;
    if (curl_multi_add_handle(post->multi, post->curl) != CURLM_OK) {
        return CURLE_OUT_OF_MEMORY;
    }
    while (curl_multi_perform(post->multi, &running) == CURLM_OK && running > 0 &&
           has_patience(post)) {
        curl_multi_poll(post->multi, NULL, 0, PATIENCE_STEP_MS, NULL);
    }
    int left = 0;
    const CURLMsg *message = curl_multi_info_read(post->multi, &left);
    if (message != NULL && message->msg == CURLMSG_DONE) {
        result = message->data.result;
    }
    curl_multi_remove_handle(post->multi, post->curl);
    return result;
}

static enum http_post_result perform(struct http_post *post)
{
    struct http_post_reply *reply = &post->reply;
    post->error[0] = '\0';
    CURLcode code = transfer(post);
    if (code == CURLE_WRITE_ERROR && post->answer_cut) {
        code = CURLE_OK;
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        snprintf(reply->error, sizeof(reply->error), "no answer until the agent had to end");
        return HTTP_POST_RETRY;
    }
    if (code != CURLE_OK) {
        snprintf(reply->error, sizeof(reply->error), "%s",
                 post->error[0] != '\0' ? post->error : curl_easy_strerror(code));
        return HTTP_POST_RETRY;
    }
    curl_easy_getinfo(post->curl, CURLINFO_RESPONSE_CODE, &reply->status);
    reply->retry_after_ms = retry_after_of(post->curl);
    snprintf(reply->error, sizeof(reply->error), "the receiver answered %ld", reply->status);
    return judge(reply->status);
}

enum http_post_result http_post_send(struct http_post *post, struct text body,
                                     const struct http_post_reply **reply_out)
{
    struct http_post_reply *reply = &post->reply;
    *reply = (struct http_post_reply){.body = &post->answer};
    *reply_out = reply;
    byte_writer_reset(&post->answer);
    post->answer_cut = false;
    if (!refresh_fields(post) || !encode(post, &body)) {
        return HTTP_POST_RETRY;
    }
    curl_easy_setopt(post->curl, CURLOPT_POSTFIELDS, body.data);
    curl_easy_setopt(post->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.length);
    return perform(post);
}

/* ---- life ---- */

static void set_tls(CURL *curl, const struct http_post_options *options)
{
    if (options->ca_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    if (options->cert_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, options->cert_file);
        curl_easy_setopt(curl, CURLOPT_SSLKEY,
                         options->key_file != NULL ? options->key_file : options->cert_file);
    }
}

static CURLcode set_options(struct http_post *post, const struct http_post_options *options)
{
    CURL *curl = post->curl;
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, post->error);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, options->user_agent);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    /* A name server that does not answer must not hold up the agent's end. */
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, post);
    /* HTTP/2 would need more of the receiver than a sequence of POSTs is worth. */
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    set_tls(curl, options);
    CURLcode code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    return code == CURLE_OK ? curl_easy_setopt(curl, CURLOPT_URL, options->url) : code;
}

static bool is_http_url(const char *url)
{
    CURLU *parsed = curl_url();
    char *scheme = NULL;
    bool good = parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_url_cleanup(parsed);
    return good;
}

struct http_post *http_post_new(const struct http_post_options *options, int *status_out)
{
    if (!is_http_url(options->url)) {
        *status_out = -EINVAL;
        return NULL;
    }
    *status_out = -ENOMEM;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return NULL;
    }
    struct http_post *post = calloc(1, sizeof(*post));
    if (post == NULL) {
        return NULL;
    }
    post->options = *options;
    post->compressor.method = options->compression;
    post->curl = curl_easy_init();
    post->multi = curl_multi_init();
    post->headers = header_list_new(options->headers, options->header_count);
    if (post->curl == NULL || post->multi == NULL || post->headers == NULL ||
        set_options(post, options) != CURLE_OK) {
        http_post_free(post);
        return NULL;
    }
    *status_out = 0;
    return post;
}

void http_post_free(struct http_post *post)
{
    if (post == NULL) {
        return;
    }
    curl_easy_cleanup(post->curl);
    curl_multi_cleanup(post->multi);
    curl_slist_free_all(post->lines);
    header_list_free(post->headers);
    compressor_fini(&post->compressor);
    byte_writer_fini(&post->compressed);
    byte_writer_fini(&post->answer);
    free(post);
}
