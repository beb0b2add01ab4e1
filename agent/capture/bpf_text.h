#pragma once

#include <linux/filter.h>
#include <stdint.h>

/* Instructions of classic BPF, as a packet socket runs them. */
#define LOAD_AUXILIARY(what)                                                                       \
    (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + (what)))
#define LOAD_BYTE(offset) (struct sock_filter) BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (offset))
#define LOAD_HALF(offset) (struct sock_filter) BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (offset))
#define LOAD_WORD(offset) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define LOAD_LENGTH() (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0)
/* At the index register and so many bytes behind. */
#define LOAD_BYTE_AT(offset) (struct sock_filter) BPF_STMT(BPF_LD | BPF_B | BPF_IND, (offset))
#define LOAD_HALF_AT(offset) (struct sock_filter) BPF_STMT(BPF_LD | BPF_H | BPF_IND, (offset))
#define LOAD_WORD_AT(offset) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_IND, (offset))
#define LOAD_CELL(cell) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_MEM, (cell))
#define STORE_CELL(cell) (struct sock_filter) BPF_STMT(BPF_ST, (cell))
#define INDEX_FROM_CELL(cell) (struct sock_filter) BPF_STMT(BPF_LDX | BPF_W | BPF_MEM, (cell))
#define INDEX_BEHIND_IPV4() (struct sock_filter) BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0)
#define INDEX_IS(value) (struct sock_filter) BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, (value))
#define INDEX_TAKE() (struct sock_filter) BPF_STMT(BPF_MISC | BPF_TAX, 0)
#define COMPUTE(how, value) (struct sock_filter) BPF_STMT(BPF_ALU | (how) | BPF_K, (value))
#define ADD_INDEX() (struct sock_filter) BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0)
#define JUMP_IF(how, value, yes, no)                                                               \
    (struct sock_filter) BPF_JUMP(BPF_JMP | (how) | BPF_K, (value), (uint8_t)(yes), (uint8_t)(no))
#define JUMP(distance) (struct sock_filter) BPF_STMT(BPF_JMP | BPF_JA, (distance))
#define RETURN(length) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, (length))
